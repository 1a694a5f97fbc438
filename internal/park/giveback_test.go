package park

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// poll parks each request, answers it on the loop with its path, and gives the
// connection back.
func poll(t testing.TB, g *loop.Group) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/plain") {
			io.WriteString(w, r.URL.Path)
			return
		}
		tk, err := Take(w, r)
		if err != nil {
			t.Errorf("take: %v", err)
			return
		}
		body := r.URL.Path
		if n := r.URL.Query().Get("n"); n != "" {
			var k int
			fmt.Sscan(n, &k)
			body = strings.Repeat("x", k)
		}
		head, err := AppendHead(nil, time.Now(), tk.Head(200, int64(len(body))))
		if err != nil {
			t.Errorf("head: %v", err)
			return
		}
		tk.Adopt(g, append(head, body...), func(_ time.Time, s *loop.Sock) loop.Handler {
			h := newScript(s)
			s.ReadLittle()
			var last []byte
			h.read = func([]byte) int { return 0 }
			h.end = func(rest []byte) { last = bytes.Clone(rest) }
			s.Loop().Post(func(time.Time) { tk.GiveBack(s, last) })
			return h
		})
	})
}

// get sends a request on c and checks the answer.
func get(t testing.TB, c net.Conn, br *bufio.Reader, path string) {
	t.Helper()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answered(t, br, path)
}

func answered(t testing.TB, br *bufio.Reader, want string) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != want {
		t.Fatalf("%s: answered %q, %v", want, body, err)
	}
	return resp
}

func TestGiveBack(t *testing.T) {
	everyWay(t, func(t *testing.T, ln net.Listener, g *loop.Group, w way) {
		srv := &http.Server{Handler: poll(t, g)}
		serveWith(t, ln, srv)
		c := dial(t, ln.Addr(), w.client)
		br := bufio.NewReader(c)
		for i := range 10 {
			get(t, c, br, fmt.Sprintf("/%d", i))
			get(t, c, br, fmt.Sprintf("/plain/%d", i))
		}
	})
}

// One connection is parked and given back 2,000 times: one handshake, and
// nothing piles up.
func TestGiveBackThousands(t *testing.T) {
	for _, w := range ways {
		if w.name != "plain" && w.name != "TLS 1.3" {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			g := newGroup(t, &loop.Options{Loops: 2})
			ln := w.listen(t, listen(t))
			serve(t, ln, poll(t, g))
			c := dial(t, ln.Addr(), w.client)
			c.SetDeadline(time.Now().Add(time.Minute))
			br := bufio.NewReader(c)
			var before, after runtime.MemStats
			var goroutines, descriptors int
			const cycles = 2000
			for i := range cycles + 1 {
				if i == 100 {
					runtime.GC()
					runtime.ReadMemStats(&before)
					goroutines, descriptors = runtime.NumGoroutine(), openDescriptors()
				}
				get(t, c, br, "/poll")
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if n := runtime.NumGoroutine(); n > goroutines+3 {
				t.Errorf("%d goroutines, then %d", goroutines, n)
			}
			if n := openDescriptors(); n > descriptors+1 {
				t.Errorf("%d descriptors, then %d", descriptors, n)
			}
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 256<<10 {
				t.Errorf("the heap grew by %d bytes", grown)
			}
			if tc, ok := c.(*tls.Conn); ok && !tc.ConnectionState().HandshakeComplete {
				t.Error("no handshake")
			}
		})
	}
}

func openDescriptors() int {
	names, _ := os.ReadDir("/proc/self/fd")
	return len(names)
}

// Requests that are pipelined behind a parked one are answered in order, after
// it, also when the client has finished writing.
func TestGiveBackPipelined(t *testing.T) {
	everyWay(t, func(t *testing.T, ln net.Listener, g *loop.Group, w way) {
		serve(t, ln, poll(t, g))
		for _, tt := range []struct {
			name   string
			filler int
			halved bool
		}{
			{name: "two"},
			{name: "two, then half-closed", halved: true},
			{name: "a long header", filler: 3000},
			{name: "more than may be read ahead", filler: 200 << 10},
		} {
			t.Run(tt.name, func(t *testing.T) {
				c := dial(t, ln.Addr(), w.client)
				var b strings.Builder
				paths := []string{"/a", "/plain/b", "/c", "/d", "/plain/e"}
				for _, p := range paths {
					fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", p, fillers(tt.filler))
				}
				go func() {
					io.WriteString(c, b.String())
					if tt.halved {
						c.(interface{ CloseWrite() error }).CloseWrite()
					}
				}()
				br := bufio.NewReader(c)
				for _, p := range paths {
					answered(t, br, p)
				}
			})
		}
	})
}

// Of what is pipelined behind one that waits little is held until it is answered.
func TestGiveBackHoldsLittle(t *testing.T) {
	everyWay(t, func(t *testing.T, ln net.Listener, g *loop.Group, w way) {
		const long = 200 << 10
		serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/waits" {
				io.WriteString(w, r.URL.Path)
				return
			}
			tk, err := Take(w, r)
			if err != nil {
				t.Errorf("take: %v", err)
				return
			}
			head, err := AppendHead(nil, time.Now(), tk.Head(200, int64(len(r.URL.Path))))
			if err != nil {
				t.Errorf("head: %v", err)
				return
			}
			tk.Adopt(g, nil, func(_ time.Time, s *loop.Sock) loop.Handler {
				h := newScript(s)
				s.ReadLittle()
				given := false
				h.read = func(p []byte) int {
					if len(p) > loop.MaxUntaken {
						t.Errorf("%d bytes are held", len(p))
					}
					if len(p) >= loop.MaxUntaken && !given {
						given = true
						s.Write(append(head, "/waits"...))
						s.Loop().Post(func(time.Time) { tk.GiveBack(s, nil) })
					}
					return 0
				}
				return h
			})
		}))
		c := dial(t, ln.Addr(), w.client)
		go fmt.Fprintf(c, "GET /waits HTTP/1.1\r\nHost: x\r\n\r\nGET /long HTTP/1.1\r\nHost: x\r\n%s\r\nGET /last HTTP/1.1\r\nHost: x\r\n\r\n", fillers(long))
		br := bufio.NewReader(c)
		for _, path := range []string{"/waits", "/long", "/last"} {
			answered(t, br, path)
		}
	})
}

func fillers(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString("X-Filler: " + strings.Repeat("f", 990) + "\r\n")
	}
	return b.String()
}

// A response larger than any buffer is flushed before the connection goes back.
func TestGiveBackFlushesFirst(t *testing.T) {
	everyWay(t, func(t *testing.T, ln net.Listener, g *loop.Group, w way) {
		serve(t, ln, poll(t, g))
		c := dial(t, ln.Addr(), w.client)
		br := bufio.NewReader(c)
		const n = 8 << 20
		io.WriteString(c, fmt.Sprintf("GET /?n=%d HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n", n))
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.Copy(io.Discard, resp.Body); got != n || err != nil {
			t.Fatal(got, err)
		}
		answered(t, br, "/next")

		c = dial(t, ln.Addr(), w.client) // so is one after which the connection ends
		io.WriteString(c, fmt.Sprintf("GET /?n=%d HTTP/1.0\r\n\r\n", n))
		br = bufio.NewReader(c)
		readHead(t, br)
		if got, err := io.Copy(io.Discard, br); got != n || err != nil {
			t.Fatal(got, err)
		}
	})
}

func TestGiveBackKeepAlive(t *testing.T) {
	for _, tt := range []struct {
		name, request string
		stays         bool
	}{
		{"HTTP/1.1", "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", true},
		{"HTTP/1.1 close", "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false},
		{"HTTP/1.0", "GET /x HTTP/1.0\r\n\r\n", false},
		{"HTTP/1.0 keep-alive", "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
		{"with a body", "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", true},
		{"with Expect", "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, nil)
			ln := WrapListener(listen(t), nil)
			serve(t, ln, poll(t, g))
			c := dial(t, ln.Addr(), nil)
			br := bufio.NewReader(c)
			for range 3 {
				io.WriteString(c, tt.request)
				if strings.Contains(tt.request, "Expect") {
					if head := readHead(t, br); head != "HTTP/1.1 100 Continue\r\n\r\n" {
						t.Fatalf("%q", head)
					}
				}
				resp := answered(t, br, "/x")
				if resp.Close == tt.stays {
					t.Fatalf("the response says close: %v", resp.Close)
				}
				if !tt.stays {
					if rest, err := io.ReadAll(br); err != nil || len(rest) > 0 {
						t.Fatalf("%q, %v", rest, err)
					}
					return
				}
			}
		})
	}
}

// A connection that came back and is idle does not hold up its server's
// shutdown, and ends with it; so does one that comes back later.
func TestGiveBackShutdown(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			g := newGroup(t, &loop.Options{Poller: w.poller})
			ln := w.listen(t, listen(t))
			parked := make(chan func(), 1)
			polls := poll(t, g)
			srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/wait" {
					polls.ServeHTTP(w, r)
					return
				}
				tk, err := Take(w, r)
				if err != nil {
					t.Error(err)
					return
				}
				tk.Adopt(g, nil, func(_ time.Time, s *loop.Sock) loop.Handler {
					head, _ := AppendHead(nil, time.Now(), &Head{Minor: 1})
					parked <- func() {
						s.Loop().Post(func(time.Time) { s.Write(head); tk.GiveBack(s, nil) })
					}
					return newScript(s)
				})
			})}
			done := make(chan error, 1)
			go func() { done <- srv.Serve(ln) }()

			idle := dial(t, ln.Addr(), w.client)
			idleReader := bufio.NewReader(idle)
			get(t, idle, idleReader, "/idle")
			waiting := dial(t, ln.Addr(), w.client)
			io.WriteString(waiting, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
			answer := <-parked

			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			if err := srv.Shutdown(ctx); err != nil {
				t.Errorf("shutdown: %v after %v", err, time.Since(begin))
			}
			srv.Close()
			<-done
			if _, err := idleReader.ReadByte(); err == nil {
				t.Error("the idle connection lives")
			}
			answer()
			br := bufio.NewReader(waiting)
			answered(t, br, "")
			if _, err := br.ReadByte(); err == nil {
				t.Error("the connection that came back after the shutdown lives")
			}
		})
	}
}
