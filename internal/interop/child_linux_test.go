package interop

import (
	"os/exec"
	"syscall"
)

// tie lets a program end also when the tests are killed. What it starts is in
// its group.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}

// end asks a program and those that it has started to end.
func end(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
