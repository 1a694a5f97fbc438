package park

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// way is one way of a request to a handler over HTTP/1.
type way struct {
	name   string
	listen func(t testing.TB, ln net.Listener) net.Listener
	client *tls.Config
	poller loop.Poller
}

var ways = []way{
	{name: "plain", listen: func(t testing.TB, ln net.Listener) net.Listener { return WrapListener(ln, nil) }},
	{name: "plain, pumped", listen: func(t testing.TB, ln net.Listener) net.Listener { return WrapListener(ln, nil) }, poller: loop.Goroutines},
	{name: "foreign plain", listen: func(t testing.TB, ln net.Listener) net.Listener { return ln }},
	{name: "TLS 1.2", listen: overTLS, client: clientTLS(tls.VersionTLS12)},
	{name: "TLS 1.3", listen: overTLS, client: clientTLS(tls.VersionTLS13)},
	{name: "TLS 1.3, pumped", listen: overTLS, client: clientTLS(tls.VersionTLS13), poller: loop.Goroutines},
	{name: "TLS 1.3, gated", listen: func(t testing.TB, ln net.Listener) net.Listener {
		return WrapListener(ln, nil).TLS(serverTLS(t, "http/1.1"))
	}, client: clientTLS(tls.VersionTLS13)},
	{name: "foreign TLS", listen: func(t testing.TB, ln net.Listener) net.Listener {
		return tls.NewListener(ln, serverTLS(t, "http/1.1"))
	}, client: clientTLS(tls.VersionTLS13)},
}

func overTLS(t testing.TB, ln net.Listener) net.Listener {
	return tls.NewListener(WrapListener(ln, nil), serverTLS(t, "http/1.1"))
}

func everyWay(t *testing.T, test func(t *testing.T, ln net.Listener, g *loop.Group, w way)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			g := newGroup(t, &loop.Options{Loops: 2, Poller: w.poller})
			test(t, w.listen(t, listen(t)), g, w)
		})
	}
}

// unwraps is a middleware's writer.
type unwraps struct {
	http.ResponseWriter
	inner http.ResponseWriter
}

func (u unwraps) Unwrap() http.ResponseWriter { return u.inner }

func TestTake(t *testing.T) {
	everyWay(t, func(t *testing.T, ln net.Listener, g *loop.Group, w way) {
		parked := parkEcho(t, g)
		serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Middleware", "kept")
			parked.ServeHTTP(unwraps{w, w}, r)
		}))
		for _, tt := range []struct{ name, request, want string }{
			{"HTTP/1.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
			{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n"},
			{"with a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.1 200 OK\r\n"},
			{"with a chunked body", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				c := dial(t, ln.Addr(), w.client)
				io.WriteString(c, tt.request+"ahead ")
				br := bufio.NewReader(c)
				head := readHead(t, br)
				if !strings.HasPrefix(head, tt.want) || !strings.Contains(head, "\r\nX-Middleware: kept\r\n") ||
					!strings.Contains(head, "\r\nDate: ") {
					t.Fatalf("head %q", head)
				}
				wantRead(t, br, "ahead ")
				for range 3 {
					io.WriteString(c, "hello")
					wantRead(t, br, "hello")
				}
				if tc, ok := c.(*tls.Conn); ok {
					tc.CloseWrite()
				} else {
					c.(*net.TCPConn).CloseWrite()
				}
				if rest, err := io.ReadAll(br); err != nil || len(rest) > 0 {
					t.Fatalf("at the end: %q, %v", rest, err)
				}
			})
		}
	})
}

// A parked client that is reset is noticed, though nobody reads or writes.
func TestTakeReset(t *testing.T) {
	everyWay(t, func(t *testing.T, ln net.Listener, g *loop.Group, w way) {
		parked := make(chan *script, 1)
		serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tk, err := Take(w, r)
			if err != nil {
				t.Error(err)
				return
			}
			tk.Adopt(g, nil, func(_ time.Time, s *loop.Sock) loop.Handler {
				h := newScript(s)
				parked <- h
				return h
			})
		}))
		c := dial(t, ln.Addr(), w.client)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		h := <-parked
		raw := c
		if tc, ok := c.(*tls.Conn); ok {
			raw = tc.NetConn()
		}
		raw.(*net.TCPConn).SetLinger(0)
		raw.Close()
		if err := <-h.closed; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("closed: %v", err)
		}
	})
}

// What cannot be parked is refused before anything happened to it.
func TestTakeRefuses(t *testing.T) {
	ln := WrapListener(listen(t), nil)
	serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hidden" {
			w = struct{ http.ResponseWriter }{w}
		}
		_, err := Take(w, r)
		fmt.Fprint(w, err)
	}))
	for _, tt := range []struct {
		name, path string
		body       int
		want       error
	}{
		{"a writer that hides", "/hidden", 0, ErrNotParkable},
		{"a body that nobody read", "/", maxBodyBytes + 1, ErrBody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := Unparked()[reasonNoHijack]
			c := dial(t, ln.Addr(), nil)
			go fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", tt.path, tt.body, strings.Repeat("b", tt.body))
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(got), tt.want.Error()) {
				t.Errorf("answered %q, %v", got, err)
			}
			if counted := Unparked()[reasonNoHijack] - before; (counted == 1) != (tt.path == "/hidden") {
				t.Errorf("counted %d times", counted)
			}
		})
	}
}

// A taken connection that is not adopted can be closed.
func TestTakeClose(t *testing.T) {
	everyWay(t, func(t *testing.T, ln net.Listener, g *loop.Group, w way) {
		serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tk, err := Take(w, r)
			if err != nil {
				t.Error(err)
				return
			}
			tk.Close()
			if err := tk.Adopt(g, nil, nil); err == nil {
				t.Error("adopted after closing")
			}
		}))
		c := dial(t, ln.Addr(), w.client)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
			t.Errorf("%q, %v", b, err)
		}
	})
}
