package loop

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/memnet"
)

// A told is a connection whose reset the kernel told to a write, so that a
// read finds an orderly end; the read comes back first.
type told struct {
	net.Conn
	reset chan struct{}
	after time.Duration // how much later the write comes back; negative is never
}

func (c *told) Read([]byte) (int, error) { <-c.reset; return 0, io.EOF }

func (c *told) Write([]byte) (int, error) {
	close(c.reset)
	if c.after < 0 {
		c.Conn.Read(make([]byte, 1)) // until it is closed
		return 0, net.ErrClosed
	}
	time.Sleep(c.after)
	return 0, syscall.ECONNRESET
}

func TestResetThatAWriteHeard(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		want  error
	}{
		{"at once", 0, syscall.ECONNRESET},
		{"a moment later", time.Millisecond, syscall.ECONNRESET},
		{"a write that is stuck", -1, io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Goroutines, 1)
				client, server := memnet.Pipe()
				defer client.Close()
				h := &hooks{closed: make(chan error, 1)}
				h.end = func([]byte) { h.s.Close(io.EOF, 0) }
				err := w.g.Adopt(&told{server, make(chan struct{}), tt.after}, nil, func(_ time.Time, s *Sock) Handler {
					h.s = s
					s.Write([]byte("x"))
					return h
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := <-h.closed; !errors.Is(err, tt.want) {
					t.Errorf("closed with %v, want %v", err, tt.want)
				}
				w.g.Close(t.Context())
			})
		})
	}
}
