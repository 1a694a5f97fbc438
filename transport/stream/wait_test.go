package stream

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

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
		synctest.Wait()
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
		synctest.Wait()
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
