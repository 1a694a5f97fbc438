package park

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/memnet"
)

// bubble is a server in virtual time: net/http over a network in memory, and
// a group that pumps.
type bubble struct {
	t   *testing.T
	mem *memnet.Listener
	g   *loop.Group
	srv *http.Server
	tls *tls.Config // the client's; nil without
	end chan error
}

// inBubble runs a test with and without TLS.
func inBubble(t *testing.T, handler func(b *bubble) http.Handler, test func(t *testing.T, b *bubble)) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, err := loop.New(&loop.Options{Loops: 1, Poller: loop.Goroutines})
				if err != nil {
					t.Fatal(err)
				}
				b := &bubble{t: t, mem: memnet.Listen("memory"), g: g, end: make(chan error, 1)}
				b.srv = &http.Server{ReadHeaderTimeout: 10 * time.Second}
				b.srv.Handler = handler(b)
				var ln net.Listener = WrapListener(b.mem, nil)
				if secure {
					ln = tls.NewListener(ln, serverTLS(t))
					b.tls = clientTLS(tls.VersionTLS13)
				}
				go func() { b.end <- b.srv.Serve(ln) }()
				test(t, b)
				if err := b.srv.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				<-b.end
				if err := g.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func (b *bubble) dial() net.Conn {
	c, err := b.mem.Dial(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if b.tls != nil {
		return tls.Client(c, b.tls)
	}
	return c
}

// beat is a parked stream that says something every 25 s.
type beat struct {
	script
	timer loop.Timer
}

func (h *beat) Fire(time.Time) {
	h.s.Write([]byte("beat"))
	h.s.Loop().After(25*time.Second, &h.timer)
}

func (h *beat) Closed(now time.Time, err error) {
	h.timer.Stop()
	h.script.Closed(now, err)
}

// An hour of heartbeats on a parked connection.
func TestVirtualHour(t *testing.T) {
	closed := make(chan error, 2)
	inBubble(t, func(b *bubble) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tk, err := Take(w, r)
			if err != nil {
				t.Error(err)
				return
			}
			head, _ := AppendHead(nil, time.Now(), &Head{Length: -1, Close: true})
			tk.Adopt(b.g, head, func(_ time.Time, s *loop.Sock) loop.Handler {
				h := &beat{script: script{s: s, closed: closed}}
				h.timer.Owner = h
				h.Fire(s.Loop().Now())
				return h
			})
		})
	}, func(t *testing.T, b *bubble) {
		begin := time.Now()
		c := b.dial()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		br := bufio.NewReader(c)
		readHead(t, br)
		for range 3600/25 + 1 {
			wantRead(t, br, "beat")
		}
		if d := time.Since(begin); d < time.Hour || d > time.Hour+time.Minute {
			t.Errorf("took %v", d)
		}
		c.Close()
		if err := <-closed; !errors.Is(err, io.EOF) {
			t.Errorf("closed: %v", err)
		}
	})
}

// A connection that came back may idle for as long as any other that has been
// served, and not only for as long as a new one may take for its header; but a
// header that has begun is given no longer than that.
func TestVirtualIdle(t *testing.T) {
	inBubble(t, func(b *bubble) http.Handler {
		b.srv.IdleTimeout = 2 * time.Minute
		return poll(t, b.g)
	}, func(t *testing.T, b *bubble) {
		c := b.dial()
		br := bufio.NewReader(c)
		get(t, c, br, "/first")
		time.Sleep(119 * time.Second)
		get(t, c, br, "/second")
		began := time.Now()
		if _, err := br.ReadByte(); err == nil || time.Since(began) != 2*time.Minute {
			t.Errorf("idle, it ended after %v with %v", time.Since(began), err)
		}
		c.Close()

		c = b.dial()
		br = bufio.NewReader(c)
		get(t, c, br, "/first")
		time.Sleep(time.Minute)
		io.WriteString(c, "GET")
		began = time.Now()
		if _, err := io.ReadAll(br); err != nil || time.Since(began).Round(time.Second) != 10*time.Second { // net/http may say why
			t.Errorf("in a header, it ended after %v with %v", time.Since(began), err)
		}
		c.Close()
	})
}

// keeps is a middleware's writer that gives no connection away.
type keeps struct{ http.ResponseWriter }

func (k keeps) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(k.ResponseWriter).SetReadDeadline(t)
}

// A request that cannot be taken may wait for its answer as long as it likes,
// whether its body was read before or not.
func TestVirtualNotTaken(t *testing.T) {
	inBubble(t, func(b *bubble) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/read" {
				io.Copy(io.Discard, r.Body)
			}
			if _, err := Take(keeps{w}, r); !errors.Is(err, ErrNotParkable) {
				t.Error(err)
			}
			select {
			case <-time.After(time.Hour):
				io.WriteString(w, "answer")
			case <-r.Context().Done():
			}
		})
	}, func(t *testing.T, b *bubble) {
		for _, path := range []string{"/read", "/unread"} {
			c := b.dial()
			io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := io.ReadAll(resp.Body); string(p) != "answer" {
				t.Errorf("%s: %q %v", path, p, err)
			}
			c.Close()
		}
	})
}

// A client that does not read its answer is cut after 30 s; one that does
// gets another.
func TestVirtualUnread(t *testing.T) {
	inBubble(t, func(b *bubble) http.Handler { return poll(t, b.g) }, func(t *testing.T, b *bubble) {
		c := b.dial()
		br := bufio.NewReader(c)
		get(t, c, br, "/first")
		time.Sleep(time.Hour) // idle, in net/http's hands
		get(t, c, br, "/second")
		io.WriteString(c, "GET /?n=1000000 HTTP/1.1\r\nHost: x\r\n\r\n")
		time.Sleep(time.Hour)
		if n, err := io.Copy(io.Discard, br); n >= 1000000 || err == nil && n == 0 {
			t.Errorf("an hour later %d bytes are there, %v", n, err)
		}
		c.Close()

		c = b.dial() // a connection that ends with its response is not given more
		br = bufio.NewReader(c)
		io.WriteString(c, "GET /?n=1000000 HTTP/1.0\r\n\r\n")
		readHead(t, br)
		time.Sleep(20 * time.Second)
		if n, err := io.Copy(io.Discard, br); n != 1000000 || err != nil {
			t.Errorf("20 s later %d bytes are there, %v", n, err)
		}
		c.Close()
	})
}
