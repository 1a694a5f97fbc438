//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// programPatience bounds how long a program may take until it listens.
const programPatience = 10 * time.Second

// startProgram runs a program as the server and returns when addr answers. It ends with this process, however that ends.
func startProgram(addr, path string, args ...string) (*Running, error) {
	// The program is killed when the thread ends that started it, so that has to be one that stays.
	runtime.LockOSThread()
	cmd := exec.Command(path, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
	if err := answers(addr); err != nil {
		stop()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Running{PID: cmd.Process.Pid, Stop: stop}, nil
}

// answers waits until somebody listens.
func answers(addr string) error {
	for deadline := time.Now().Add(programPatience); time.Now().Before(deadline); {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("does not listen")
}

// findProgram looks where users' PATH often does not.
func findProgram(name string) (path string, ok bool) {
	for _, p := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(p); err == nil {
			return path, true
		}
	}
	return "", false
}
