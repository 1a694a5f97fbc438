package park

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/longwire/longwire/internal/loop"
)

// way is one way of a request to a handler over HTTP/1.
type way struct {
	name   string
	listen func(net.Listener) net.Listener
	client *tls.Config
	poller loop.Poller
}

var ways = []way{
	{name: "plain", listen: func(ln net.Listener) net.Listener { return WrapListener(ln, nil) }},
	{name: "plain, pumped", listen: func(ln net.Listener) net.Listener { return WrapListener(ln, nil) }, poller: loop.Goroutines},
	{name: "foreign plain", listen: func(ln net.Listener) net.Listener { return ln }},
	{name: "TLS 1.2", listen: overTLS, client: clientTLS(tls.VersionTLS12)},
	{name: "TLS 1.3", listen: overTLS, client: clientTLS(tls.VersionTLS13)},
	{name: "TLS 1.3, pumped", listen: overTLS, client: clientTLS(tls.VersionTLS13), poller: loop.Goroutines},
	{name: "TLS 1.3, gated", listen: func(ln net.Listener) net.Listener {
		return WrapListener(ln, nil).TLS(serverTLS("http/1.1"))
	}, client: clientTLS(tls.VersionTLS13)},
	{name: "foreign TLS", listen: func(ln net.Listener) net.Listener {
		return tls.NewListener(ln, serverTLS("http/1.1"))
	}, client: clientTLS(tls.VersionTLS13)},
}

func overTLS(ln net.Listener) net.Listener {
	return tls.NewListener(WrapListener(ln, nil), serverTLS("http/1.1"))
}

func everyWay(t *testing.T, test func(t *testing.T, ln net.Listener, g *loop.Group, w way)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			g := newGroup(t, &loop.Options{Loops: 2, Poller: w.poller})
			test(t, w.listen(listen(t)), g, w)
		})
	}
}

func TestTake(t *testing.T) {
	everyWay(t, func(t *testing.T, ln net.Listener, g *loop.Group, w way) {
		parked := parkEcho(t, g)
		serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Middleware", "kept")
			parked.ServeHTTP(w, r)
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
