//go:build !linux

package torture

import "os/exec"

func tie(*exec.Cmd) {}
