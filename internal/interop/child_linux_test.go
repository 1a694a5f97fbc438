package interop

import (
	"os/exec"
	"syscall"
)

// tie lets a program end also when the tests are killed.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
