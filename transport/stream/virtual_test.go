package stream

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/wire"
)

// What waits is tested in virtual time: net/http over a network in memory, and
// loops over goroutines.

// A bubble is a server in virtual time.
type bubble struct {
	t      *testing.T
	h      *Handler
	ln     *memnet.Listener
	client *http.Client
	conns  chan *memnet.Conn // as they are dialled
}

// virtually runs test with h served, parked and by goroutines.
func virtually(t *testing.T, h func() *Handler, test func(b *bubble)) {
	for _, held := range []bool{false, true} {
		t.Run(map[bool]string{false: "parked", true: "held"}[held], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runBubble(t, h(), held, test) })
		})
	}
}

func runBubble(t *testing.T, h *Handler, held bool, test func(b *bubble)) {
	e, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 1, Goroutines: true})
	if err != nil {
		t.Fatal(err)
	}
	h.Engine, h.Log = e, quiet
	b := &bubble{t: t, h: h, ln: memnet.Listen("127.0.0.1:80"), conns: make(chan *memnet.Conn, 100)}
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := b.ln.Dial(ctx)
		if err == nil {
			b.conns <- c.(*memnet.Conn)
		}
		return c, err
	}}
	b.client = &http.Client{Transport: tr}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if held {
			w = shy{w}
		}
		h.ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	go func() { srv.Serve(park.WrapListener(b.ln, nil)); close(done) }()
	test(b)
	if err := h.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	tr.CloseIdleConnections()
	srv.Shutdown(t.Context())
	<-done
	if err := e.Close(t.Context()); err != nil {
		t.Errorf("engine: %v", err)
	}
}

func (b *bubble) do(method, path, body string, header ...string) *http.Response {
	r, err := http.NewRequestWithContext(b.t.Context(), method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body == "" {
		r.Body = nil
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp
}

func (b *bubble) open() (link, secret string) {
	resp := b.do("POST", "/", "")
	body := bodyOf(b.t, resp)
	parts := strings.Split(body, `"`)
	return parts[3], parts[7]
}

func (b *bubble) poll(link, secret, query string) *http.Response {
	return b.do("GET", "/?link="+link+query, "", "Longwire-Secret: "+secret)
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// took runs f and checks how long it took, give or take a tick.
func took(t *testing.T, want time.Duration, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	if got := time.Since(begin); got < want || got > want+50*time.Millisecond {
		t.Errorf("took %v, want %v", got, want)
	}
}

// A silent stream says something at least every 15 s, for as long as it
// lives, and then ends in order; one that speaks says nothing else.
func TestHeartbeatAndLifetime(t *testing.T) {
	for _, e := range []*Encoder{SSE, NDJSON, Lines} {
		t.Run(e.Name, func(t *testing.T) {
			virtually(t, func() *Handler {
				return &Handler{Acceptor: newRoom(true), Encoders: []*Encoder{e}}
			}, func(b *bubble) {
				begin, last, pings := time.Now(), time.Now(), 0
				resp := b.do("GET", "/", "")
				buf := make([]byte, 4096)
				var end string
				for {
					n, err := resp.Body.Read(buf)
					if string(buf[:n]) == e.Ping {
						silence := time.Since(last)
						if pings++; silence > 15*time.Second+50*time.Millisecond || silence < 14*time.Second && pings > 1 {
							b.t.Errorf("ping %d after %v", pings, silence)
						}
					} else {
						end += string(buf[:n])
					}
					last = time.Now()
					if err == io.EOF {
						break
					}
					if err != nil {
						b.t.Fatal(err)
					}
				}
				if lived := time.Since(begin); lived < 48*time.Minute || lived > time.Hour+time.Second || pings < 48*4-3 {
					b.t.Errorf("lived %v with %d pings", lived, pings)
				}
				if e.Close != nil && !strings.Contains(end, `"code":"lifetime"`) {
					b.t.Errorf("ended with %q", end)
				}
			})
		})
	}
}

func TestNoHeartbeatWhileSpeaking(t *testing.T) {
	var room *room
	virtually(t, func() *Handler {
		room = newRoom(true)
		return &Handler{Acceptor: room, Lifetime: -1, PingAfter: 2 * time.Second}
	}, func(b *bubble) {
		resp := b.do("GET", "/", "")
		c := <-room.opened
		got := make(chan string)
		go func() { got <- bodyOf(b.t, resp) }()
		for range 10000 {
			send(b.t, c, longwire.JSON, "1")
			time.Sleep(1800 * time.Millisecond)
		}
		c.Close("", "")
		if got := <-got; strings.Contains(got, "\n\n") {
			b.t.Errorf("a heartbeat at %d of %d", strings.Index(got, "\n\n"), len(got))
		}
		<-room.closed
	})
}

func TestNoHeartbeat(t *testing.T) {
	var room *room
	virtually(t, func() *Handler {
		room = newRoom(true)
		return &Handler{Acceptor: room, Lifetime: -1, PingAfter: -1}
	}, func(b *bubble) {
		resp := b.do("GET", "/", "")
		time.Sleep(1000 * time.Hour)
		(<-room.opened).Close("", "")
		if got := bodyOf(b.t, resp); strings.Count(got, "\n") != 1 {
			b.t.Errorf("%q", got)
		}
		<-room.closed
	})
}

// Lifetimes differ, lest all come back at once.
func TestLifetimesSpread(t *testing.T) {
	var room *room
	virtually(t, func() *Handler {
		room = newRoom(true)
		return &Handler{Acceptor: room, Lifetime: 100 * time.Second}
	}, func(b *bubble) {
		ends := map[time.Duration]bool{}
		begin := time.Now()
		for range 20 {
			b.do("GET", "/", "")
		}
		for range 20 {
			<-room.closed
			lived := time.Since(begin)
			if lived < 80*time.Second || lived > 100*time.Second+50*time.Millisecond {
				b.t.Errorf("lived %v", lived)
			}
			ends[lived.Truncate(time.Second)] = true
		}
		if len(ends) < 5 {
			b.t.Errorf("all ended within %d s", len(ends))
		}
	})
}

func TestPollDeadlines(t *testing.T) {
	virtually(t, func() *Handler { return &Handler{Acceptor: newRoom(true), Upstream: true} }, func(b *bubble) {
		link, secret := b.open()
		for query, want := range map[string]time.Duration{
			"": 25 * time.Second, "&wait=0s": 0, "&wait=1m30s": time.Minute, "&wait=7s": 7 * time.Second, "&wait=300ms": 300 * time.Millisecond,
		} {
			took(b.t, want, func() {
				if got := bodyOf(b.t, b.poll(link, secret, query)); got != `{"answer":0,"messages":[]}`+"\n" {
					b.t.Errorf("%q", got)
				}
			})
		}
		took(b.t, 9*time.Second, func() { bodyOf(b.t, b.do("GET", "/?wait=9s", "")) })
		took(b.t, 25*time.Second, func() { bodyOf(b.t, b.do("GET", "/?wait", "")) })
	})
}

// A link that nobody polls is lost; one that is polled is not, and one that
// was closed tells so for as long.
func TestPollExpires(t *testing.T) {
	var room *room
	virtually(t, func() *Handler {
		room = newRoom(true)
		return &Handler{Acceptor: room, Upstream: true}
	}, func(b *bubble) {
		expect := func(want wire.Code) {
			b.t.Helper()
			if cl := <-room.closed; cl.Code != want {
				b.t.Errorf("%v", cl)
			}
		}
		link, secret := b.open()
		took(b.t, time.Minute, func() { expect(wire.CodeLost) })
		if resp := b.poll(link, secret, ""); resp.StatusCode != 404 {
			b.t.Errorf("status %d", resp.StatusCode)
		}

		link, secret = b.open()
		for range 100 {
			time.Sleep(59 * time.Second)
			bodyOf(b.t, b.poll(link, secret, "&wait=50s"))
		}
		if len(room.closed) > 0 {
			b.t.Fatal("closed")
		}
		// A poll whose client leaves is as if it had not been.
		ctx, cancel := context.WithCancel(b.t.Context())
		r, _ := http.NewRequestWithContext(ctx, "GET", "http://x/?wait=60s&link="+link, nil)
		r.Header.Set("Longwire-Secret", secret)
		time.AfterFunc(30*time.Second, cancel)
		if _, err := b.client.Do(r); err == nil {
			b.t.Error("answered")
		}
		took(b.t, time.Minute, func() { expect(wire.CodeLost) })

		for range 3 {
			<-room.opened
			if len(room.opened) == 0 {
				break
			}
		}
		link, secret = b.open()
		(<-room.opened).Close(wire.CodeForbidden, "")
		took(b.t, 0, func() { expect(wire.CodeForbidden) })
		for range 3 {
			time.Sleep(59 * time.Second)
			if got := bodyOf(b.t, b.poll(link, secret, "")); !strings.Contains(got, `"code":"forbidden"`) {
				b.t.Errorf("%q", got)
			}
		}
		time.Sleep(61 * time.Second)
		if resp := b.poll(link, secret, ""); resp.StatusCode != 404 {
			b.t.Errorf("status %d", resp.StatusCode)
		}
	})
}

// A steered is a receiver that tests pause.
type steered struct {
	link longwire.Link
	beat string

	mu    sync.Mutex
	heard []string // guarded by mu
}

// told returns what was heard since the last call.
func (s *steered) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := strings.Join(s.heard, " ")
	s.heard = nil
	return heard
}

func (s *steered) Accept(_ time.Time, l longwire.Link) (longwire.Receiver, error) {
	s.link = l
	return s, nil
}
func (s *steered) Receive(_ time.Time, k longwire.Kind, p []byte) {
	s.mu.Lock()
	s.heard = append(s.heard, string(p))
	s.mu.Unlock()
	if string(p) == "pause" {
		s.link.Pause(true)
	}
}
func (s *steered) Drained(time.Time)       {}
func (s *steered) Closed(time.Time, error) {}

func (s *steered) Heartbeat(time.Time) bool {
	if s.beat == "" {
		return false
	}
	s.link.Send(longwire.NewMessage(longwire.JSON, []byte(s.beat)))
	return true
}

func (s *steered) pause(on bool) {
	done := make(chan struct{})
	loopOf(s.link).Post(func(time.Time) { s.link.Pause(on); close(done) })
	<-done
}

// While the receiver has no time, a body waits for 5 s, then its client is told
// to come again. Nothing is told twice or half.
func TestPostWaits(t *testing.T) {
	var s *steered
	virtually(t, func() *Handler {
		s = &steered{}
		return &Handler{Acceptor: s, Upstream: true}
	}, func(b *bubble) {
		link, secret := b.open()
		post := func(body string) *http.Response {
			return b.do("POST", "/?link="+link, body, "Longwire-Secret: "+secret, "Content-Type: text/plain")
		}
		status := func(resp *http.Response, want int) {
			b.t.Helper()
			bodyOf(b.t, resp)
			if resp.StatusCode != want {
				b.t.Errorf("status %d, want %d", resp.StatusCode, want)
			}
		}
		s.pause(true)
		took(b.t, 5*time.Second, func() {
			resp := post("late")
			if resp.Header.Get("Retry-After") != "1" {
				b.t.Errorf("Retry-After: %q", resp.Header.Get("Retry-After"))
			}
			status(resp, 429)
		})
		time.AfterFunc(3*time.Second, func() { s.pause(false) })
		took(b.t, 3*time.Second, func() { status(post("in time"), 202) })

		// In order, and bounded.
		s.pause(true)
		answers := make(chan int, 20)
		for i := range 20 {
			go func() {
				resp := post(fmt.Sprint(i))
				resp.Body.Close()
				answers <- resp.StatusCode
			}()
			synctest.Wait()
		}
		for range 4 {
			if got := <-answers; got != 429 {
				b.t.Errorf("status %d", got)
			}
		}
		s.pause(false)
		for range 16 {
			if got := <-answers; got != 202 {
				b.t.Errorf("status %d", got)
			}
		}
		want := "in time 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"
		if got := s.told(); got != want {
			b.t.Errorf("heard %q, want %q", got, want)
		}

		// A body that was begun is taken over, whatever comes in between.
		took(b.t, 0, func() {
			status(b.do("POST", "/?link="+link, "\"a\"\n\"pause\"\n\"b\"", "Longwire-Secret: "+secret, "Content-Type: application/x-ndjson"), 202)
		})
		time.Sleep(time.Hour / 100)
		go func() { time.Sleep(time.Second); s.pause(false) }()
		status(post("c"), 202)
		if got := s.told(); got != "a pause b c" {
			b.t.Errorf("heard %q", got)
		}

		// The link ends while a body waits.
		s.pause(true)
		time.AfterFunc(time.Second, func() {
			loopOf(s.link).Post(func(time.Time) { s.link.Close(longwire.Close{}) })
		})
		took(b.t, time.Second, func() { status(post("x"), 404) })
	})
}

func loopOf(l longwire.Link) *loop.Loop { return l.(*link).loop }

// Whoever sends a body by the byte is not waited for.
func TestSlowBody(t *testing.T) {
	virtually(t, func() *Handler { return &Handler{Acceptor: newRoom(true), Upstream: true} }, func(b *bubble) {
		link, secret := b.open()
		c, err := b.ln.Dial(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /?link=%s HTTP/1.1\r\nHost: x\r\nLongwire-Secret: %s\r\nContent-Length: 1000\r\n\r\n", link, secret)
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(700 * time.Millisecond):
					c.Write([]byte("x"))
				}
			}
		}()
		took(b.t, 30*time.Second, func() {
			buf := make([]byte, 100)
			n, err := c.Read(buf)
			if !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 400 ") {
				b.t.Errorf("%q, %v", buf[:n], err)
			}
		})
		close(stop)
	})
}

// A receiver that has something to say at a heartbeat says it instead.
func TestHeart(t *testing.T) {
	virtually(t, func() *Handler {
		return &Handler{Acceptor: &steered{beat: `{"op":"ping"}`}, Lifetime: 20 * time.Second}
	}, func(b *bubble) {
		if got := bodyOf(b.t, b.do("GET", "/", "")); !strings.HasPrefix(got, "{\"op\":\"ping\"}\n{\"op\":\"close\"") {
			b.t.Errorf("%q", got)
		}
		took(b.t, 9*time.Second, func() {
			if got := bodyOf(b.t, b.do("GET", "/?wait=9s", "")); got != `{"messages":[{"op":"ping"}]}`+"\n" {
				b.t.Errorf("%q", got)
			}
		})
	})
}

// A client that is gone without a word, behind net/http, is found by what it
// does not take. On a parked socket the kernel finds it, by TCP_USER_TIMEOUT.
func TestVanishedBehindNetHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := newRoom(true)
		runBubble(t, &Handler{Acceptor: room}, true, func(b *bubble) {
			resp := b.do("GET", "/", "")
			defer resp.Body.Close()
			c := <-room.opened
			(<-b.conns).Freeze()
			begin := time.Now()
			send(t, c, longwire.Text, strings.Repeat("x", 200<<10))
			cl := <-room.closed
			if took := time.Since(begin); took > 31*time.Second {
				t.Errorf("found after %v: %v", took, cl)
			}
		})
	})
}
