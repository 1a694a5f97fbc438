//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Child is the driver's hold on one server process. Its methods belong to one goroutine, except CPU and RSS, which
// only look at the process from outside and do not disturb it.
type Child struct {
	Addr string

	cmd  *exec.Cmd
	pid  int // of the process that is measured: this program again, or one that it has started
	in   io.WriteCloser
	out  *bufio.Scanner
	page int
}

// startChild runs this program again as the named server and waits until it listens.
func startChild(ctx context.Context, workload, name string, extra ...string) (*Child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "-workload", workload, "-name", name}, extra...)
	c := &Child{cmd: exec.CommandContext(ctx, exe, args...), page: os.Getpagesize()}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	first, err := c.read()
	if err != nil {
		c.Stop()
		return nil, err
	}
	c.Addr, c.pid = first.Addr, c.cmd.Process.Pid
	if first.PID != 0 {
		c.pid = first.PID
	}
	return c, nil
}

func (c *Child) read() (reply, error) {
	if !c.out.Scan() {
		return reply{}, errors.Join(errors.New("the server process ended"), c.out.Err())
	}
	var r reply
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
		return reply{}, fmt.Errorf("from the server process: %w: %s", err, c.out.Text())
	}
	if r.Err != "" {
		return reply{}, errors.New(r.Err)
	}
	return r, nil
}

func (c *Child) ask(op string) (reply, error) {
	if _, err := io.WriteString(c.in, `{"op":"`+op+`"}`+"\n"); err != nil {
		return reply{}, err
	}
	return c.read()
}

// Stats asks the server for its allocation counters.
func (c *Child) Stats() (reply, error) { return c.ask("stats") }

// Free has the server collect its garbage and give memory back to the system.
func (c *Child) Free() (reply, error) { return c.ask("free") }

// Publish has the server send n messages to every link; it does not wait for them.
func (c *Child) Publish(n int) error {
	_, err := io.WriteString(c.in, `{"op":"publish","n":`+strconv.Itoa(n)+"}\n")
	return err
}

// Fill has the server publish n messages of size bytes to so many channels, and waits until they are acknowledged.
func (c *Child) Fill(n, channels, size int) (reply, error) {
	if err := json.NewEncoder(c.in).Encode(request{Op: "fill", N: n, Channels: channels, Size: size}); err != nil {
		return reply{}, err
	}
	return c.read()
}

// Kill ends the process as a crash would.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // it was killed
}

// Stop ends the process by closing its input, by a signal when that does not help within 2 s, and waits for it.
func (c *Child) Stop() {
	_ = c.in.Close()
	kill := time.AfterFunc(2*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	_ = c.cmd.Wait() // a killed server is no failure of the measurement
}

// CPU is the time all threads of the process have run, in user and kernel mode: the process's own CPU clock, whose id
// clock_getcpuclockid(3) makes from the process id this way. It has nanoseconds, and reading it costs the server nothing.
func (c *Child) CPU() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^c.pid<<3|2), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of the server process: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

// RSS is the resident set in bytes (second field of /proc/PID/statm, in pages).
func (c *Child) RSS() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm of the server process: %q", b)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(c.page), err
}
