package torture

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"
)

// A server is the program that is killed and started again, always at the same addresses and with the same data.
// It is for one goroutine.
type server struct {
	binary string
	args   []string // but for its addresses
	http   string   // host:port
	tcp    string
	said   *tail
	probe  *http.Client

	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
	err  error         // how; valid then
}

func newServer(binary string, args []string) (*server, error) {
	s := &server{binary: binary, args: args, said: &tail{}, probe: &http.Client{
		Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true},
	}}
	for _, addr := range []*string{&s.http, &s.tcp} {
		ln, err := freePort()
		if err != nil {
			return nil, err
		}
		defer ln.Close() // not before the other has its own
		*addr = ln.Addr().String()
	}
	return s, nil
}

// freePort listens on a port below those that the system gives out: while the server is down, somebody who connects to it
// could otherwise be given its port, and even reach himself. It is not of the seed, so that two runs with the same one do not collide.
func freePort() (ln net.Listener, err error) {
	for range 100 {
		if ln, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20_000+rand.IntN(12_000))); err == nil {
			return ln, nil
		}
	}
	return nil, err
}

// start starts the program, and does not wait for it.
func (s *server) start() error {
	s.cmd = exec.Command(s.binary, append([]string{"serve", "--http", s.http, "--tcp", s.tcp, "--log-level", "info"}, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr = io.Discard, s.said
	s.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1") // a race is an end by itself
	tie(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	s.gone = gone
	cmd := s.cmd
	go func() { // kill waits for it
		defer close(gone)
		s.err = cmd.Wait()
	}()
	return nil
}

// startTime bounds the time in which a server has to be ready. It is long for a machine that is shared.
const startTime = time.Minute

// ready waits until it serves.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("torture: the server was not ready within %v", startTime))
	defer cancel()
	for {
		resp, err := s.probe.Get("http://" + s.http + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.gone:
			return fmt.Errorf("torture: the server ended by itself: %w", s.err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// kill kills it as a crash would: what it has in memory is gone.
func (s *server) kill() error {
	select {
	case <-s.gone:
		return fmt.Errorf("torture: the server ended by itself: %w", s.err)
	default:
	}
	if err := s.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("torture: %w", err)
	}
	<-s.gone
	return nil
}

// end kills it if it still runs.
func (s *server) end() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.kill() // whatever there is to say was said
	}
	s.probe.CloseIdleConnections()
}

// A tail keeps the end of what a program said.
type tail struct {
	mu sync.Mutex
	b  []byte // guarded by mu
}

const maxTail = 256 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - maxTail; n > 0 {
		t.b = t.b[n:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
