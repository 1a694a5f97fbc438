package interop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is for tests that would otherwise hang. It is long because two cores
// are shared with the tests of other packages under the race detector.
const patience = 30 * time.Second

// A child is a running program of somebody else.
type child struct {
	t      testing.TB
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser // its standard input
	out    *os.File       // its standard output
	lines  *bufio.Reader  // of out
	said   *lockedBuffer  // all it said, for failures
	cancel context.CancelFunc
	wait   func() error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// program finds one in the path, or at one of the places where Debian puts
// those that are not for everybody.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed; run make deps", name)
	return ""
}

// start starts a program. The test ends it, if it has not ended by then, and
// shows what it said if the test has failed.
func start(t testing.TB, name string, args ...string) *child {
	t.Helper()
	return startWith(t, nil, name, args...)
}

// startWith is start with descriptors that the program gets as 3, 4, ….
func startWith(t testing.TB, files []*os.File, name string, args ...string) *child {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	c := &child{t: t, name: name, said: &lockedBuffer{}, cancel: cancel}
	c.cmd = exec.CommandContext(ctx, program(t, name), args...)
	c.cmd.Cancel = func() error { return end(c.cmd) }
	c.cmd.WaitDelay = 5 * time.Second // then it is killed
	c.cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*", "HOME="+t.TempDir())
	c.cmd.ExtraFiles = files
	tie(c.cmd)
	c.cmd.Stderr = c.said
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.out, c.cmd.Stdout = in, out, theirs
	c.lines = bufio.NewReader(io.TeeReader(out, c.said))
	err = c.cmd.Start()
	theirs.Close()
	for _, f := range files {
		f.Close() // the child has its own
	}
	if err != nil {
		cancel()
		out.Close()
		t.Fatalf("%s: %v", name, err)
	}
	c.wait = sync.OnceValue(c.cmd.Wait)
	t.Cleanup(func() {
		c.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(c.cmd.Args, " "), c.said)
		}
	})
	return c
}

// stop ends the program by its process id and waits for its end.
func (c *child) stop() {
	c.cancel()
	c.wait()
	c.soon()
	io.Copy(io.Discard, c.lines) // into said
	c.out.Close()
}

// soon bounds the wait for its output.
func (c *child) soon() { c.out.SetReadDeadline(time.Now().Add(patience)) }

// line returns the next line of its output, without the line's end.
func (c *child) line() string {
	c.t.Helper()
	c.soon()
	s, err := c.lines.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%s: its next line: %q %v", c.name, s, err)
	}
	return strings.TrimRight(s, "\r\n")
}

// until returns the next line that begins with prefix.
func (c *child) until(prefix string) string {
	c.t.Helper()
	for {
		if s := c.line(); strings.HasPrefix(s, prefix) {
			return s
		}
	}
}

// ends waits until the program ends by itself. It returns what it had not yet
// said, and its exit code.
func (c *child) ends() (rest string, code int) {
	c.t.Helper()
	c.soon()
	p, err := io.ReadAll(c.lines)
	if err != nil {
		c.t.Fatalf("%s does not end: %v", c.name, err)
	}
	err = c.wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		c.t.Fatalf("%s: %v", c.name, err)
	} else if ok {
		code = exit.ExitCode()
	}
	return string(p), code
}

// run runs a program that is to succeed, and returns what it wrote.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	c := start(t, name, args...)
	c.in.Close()
	s, code := c.ends()
	if code != 0 {
		t.Fatalf("%s ended with %d", name, code)
	}
	return s
}
