//go:build !linux

package interop

import "os/exec"

func tie(*exec.Cmd) {}
