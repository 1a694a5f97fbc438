package park

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/testcert"
)

// The helpers of all tests.

func serverTLS(t testing.TB, protos ...string) *tls.Config {
	cert, _ := testcert.New(t)
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: protos}
}

func clientTLS(version uint16, protos ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, NextProtos: protos}
}

func newGroup(t testing.TB, o *loop.Options) *loop.Group {
	t.Helper()
	g, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Errorf("group: %v", err)
		}
	})
	return g
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// serve serves h on ln until the test ends.
func serve(t testing.TB, ln net.Listener, h http.Handler) *http.Server {
	t.Helper()
	srv := &http.Server{Handler: h}
	serveWith(t, ln, srv)
	return srv
}

func serveWith(t testing.TB, ln net.Listener, srv *http.Server) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
			srv.Close()
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
}

// A script is a handler whose reactions a test writes as functions.
type script struct {
	s       *loop.Sock
	read    func(p []byte) int // nil: take all
	end     func(rest []byte)  // nil: close
	drained func()
	closed  chan error // capacity 1
}

func newScript(s *loop.Sock) *script { return &script{s: s, closed: make(chan error, 1)} }

func (h *script) Read(_ time.Time, p []byte) int {
	if h.read != nil {
		return h.read(p)
	}
	return len(p)
}

func (h *script) End(_ time.Time, rest []byte) {
	if h.end != nil {
		h.end(rest)
		return
	}
	h.s.Close(io.EOF, time.Second)
}

func (h *script) Drained(time.Time) {
	if h.drained != nil {
		h.drained()
	}
}

func (h *script) Closed(_ time.Time, err error) { h.closed <- err }

// parkEcho parks requests and answers what the client says behind them.
func parkEcho(t testing.TB, g *loop.Group) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tk, err := Take(w, r)
		if err != nil {
			t.Errorf("take: %v", err)
			return
		}
		head, err := AppendHead(nil, time.Now(), &Head{Header: tk.Header, Minor: r.ProtoMinor, Length: -1, Close: true})
		if err != nil {
			t.Errorf("head: %v", err)
			return
		}
		if err := tk.Adopt(g, head, func(_ time.Time, s *loop.Sock) loop.Handler {
			return &echo{s}
		}); err != nil {
			t.Errorf("adopt: %v", err)
		}
	})
}

func dial(t testing.TB, addr net.Addr, cfg *tls.Config) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if cfg != nil {
		c = tls.Client(c, cfg)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

func readHead(t testing.TB, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			t.Fatalf("head: %v after %q", err, b.String())
		}
	}
	return b.String()
}

func wantRead(t testing.TB, r io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(r, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v; want %q", b[:n], err, want)
	}
}

// echo is as small as a handler can be.
type echo struct{ s *loop.Sock }

func (e *echo) Read(_ time.Time, p []byte) int { e.s.Write(p); return len(p) }
func (e *echo) End(time.Time, []byte)          { e.s.Close(io.EOF, time.Second) }
func (e *echo) Drained(time.Time)              {}
func (e *echo) Closed(time.Time, error)        {}
