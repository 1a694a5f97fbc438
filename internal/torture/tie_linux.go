package torture

import (
	"os/exec"
	"syscall"
)

// tie lets a server end also when the harness is killed.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
