package stream

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// One answer says where its reader stands: with messages, or without at the deadline.
func TestReaderPoll(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		d := newDesk(t)
		d.polled = func(r *reader) error {
			r.beat = func() bool { t.Error("asked to speak, though the answer speaks"); return false }
			return nil
		}
		s := serve(t, d.over(false), m)
		want := func(r *reading, position, body string) {
			t.Helper()
			if got := r.resp.Header; got.Get("Longwire-Position") != position || got.Get("Longwire-Gap") != "x" ||
				got.Get("Longwire-Answer") != "" || got.Get("X-Middleware") != "kept" || r.resp.StatusCode != 200 {
				t.Errorf("%s %v", r.resp.Status, got)
			}
			wantText(t, r.all(), body)
		}
		want(s.do("GET", "/?wait=10ms", ""), "1-1-1", `{"messages":[],"position":"1-1-1"}`+"\n")
		if cl := next(t, next(t, d.reads).closed); cl.Code != "normal" {
			t.Errorf("%v", cl)
		}

		got := make(chan *reading, 1)
		go func() { got <- s.do("GET", "/?wait=9s", "") }()
		r := next(t, d.reads)
		r.on(func() {
			r.stands = "1-3-1"
			r.send(`{"op":"message","position":"1-2-1"}`, "1-2-1")
			r.send(`{"op":"message","position":"1-3-1"}`, "1-3-1")
		})
		want(next(t, got), "1-3-1", `{"messages":[{"op":"message","position":"1-2-1"},{"op":"message","position":"1-3-1"}],"position":"1-3-1"}`+"\n")

		d.polled = func(r *reader) error { r.stands = ""; return nil }
		r2 := s.do("GET", "/?wait=0s", "")
		if _, ok := r2.resp.Header["Longwire-Position"]; ok {
			t.Error("a header without a position")
		}
		wantText(t, r2.all(), `{"messages":[]}`+"\n")

		// One that ends says where it stood, too.
		d.polled = nil
		next(t, d.reads)
		go func() { got <- s.do("GET", "/?wait=9s", "") }()
		r = next(t, d.reads)
		eventually(t, func() (waits bool) { r.on(func() { waits = r.poll.waiting != nil }); return waits })
		r.on(func() { r.Close(longwire.Close{Code: "forbidden", Reason: "no"}) })
		want(next(t, got), "1-1-1", `{"messages":[],"position":"1-1-1","close":{"code":"forbidden","reason":"no","retry":-1}}`+"\n")
		next(t, r.closed)
	})
}

// A poll whose time is over waits for what history has, and no longer.
func TestReaderSettles(t *testing.T) {
	var d *desk
	virtually(t, func() *Handler {
		d = newDesk(t)
		d.polled = func(r *reader) error { r.unsettled = true; return nil }
		return d.over(false)
	}, func(b *bubble) {
		const none = `{"messages":[],"position":"1-1-1"}` + "\n"
		const one = `{"messages":[1],"position":"1-1-1"}` + "\n"
		large := strings.Repeat("2", wire.MaxQueuedOut)
		message := func(r *reader) { r.send("1", "") }
		settle := func(r *reader) { r.unsettled = false; r.Wake() }
		for _, tt := range []struct {
			name, wait string
			after      time.Duration
			do         func(r *reader)
			took       time.Duration
			want       string
		}{
			{"a message", "0s", time.Second, message, 5 * time.Second, one},
			{"a message of several, with a deadline", "9s", time.Second, message, 6 * time.Second, one},
			{"a message, and then settled", "9s", time.Second, func(r *reader) {
				message(r)
				time.AfterFunc(time.Second, func() { r.loop.Post(func(time.Time) { settle(r) }) })
			}, 2 * time.Second, one},
			{"a message, and no room", "9s", time.Second, func(r *reader) {
				message(r)
				r.send(large, "") // is taken: it may be the first behind a gap
				r.send("3", "")
			}, time.Second, `{"messages":[1,` + large + `],"position":"1-1-1"}` + "\n"},
			{"nothing", "0s", time.Second, settle, time.Second, none},
			{"message and settled in one", "0s", time.Second, func(r *reader) { settle(r); message(r) }, time.Second, one},
			{"never", "0s", 9 * time.Second, func(*reader) {}, 5 * time.Second, none},
			{"woken for nothing", "0s", time.Second, func(r *reader) { r.Wake() }, 5 * time.Second, none},
			{"before the deadline", "3s", time.Second, settle, 3 * time.Second, none},
			{"after the deadline", "3s", 4 * time.Second, settle, 4 * time.Second, none},
			{"never, with a deadline", "3s", 9 * time.Second, func(*reader) {}, 8 * time.Second, none},
		} {
			took(b.t, tt.took, func() {
				done := make(chan struct{})
				go func() {
					defer close(done)
					r := <-d.reads
					time.Sleep(tt.after)
					r.on(func() {
						if r.asked.Load() == 0 {
							tt.do(r)
						}
					})
				}()
				if got := bodyOf(b.t, b.do("GET", "/?wait="+tt.wait, "")); got != tt.want {
					b.t.Errorf("%s: %q", tt.name, got)
				}
				if tt.took < tt.after {
					return
				}
				<-done
			})
			time.Sleep(10 * time.Second)
		}
	})
}

// A link of a node that is polled, over and over, says with each answer how far
// it goes, also when the answer is given again.
func TestPolledPositions(t *testing.T) {
	var d *desk
	virtually(t, func() *Handler {
		d = newDesk(t)
		d.polled = func(r *reader) error {
			r.order = func(*fake, string) { r.send(`{"op":"connected"}`, "") }
			return nil
		}
		return d.over(true)
	}, func(b *bubble) {
		first := b.do("POST", "/", "{}\n")
		r := <-d.reads
		const one = `{"answer":1,"messages":[{"op":"connected"}],"position":"1-1-1"}` + "\n"
		check := func(resp *http.Response, answer, position, want string) {
			b.t.Helper()
			h := resp.Header
			if h.Get("Longwire-Answer") != answer || h.Get("Longwire-Position") != position {
				b.t.Errorf("header %v", h)
			}
			wantText(b.t, bodyOf(b.t, resp), want)
		}
		check(first, "1", "1-1-1", one)
		r.on(func() { r.stands = "1-5-1" })
		check(b.do("GET", "/polled?wait=1s", ""), "1", "1-1-1", one)
		took(b.t, time.Second, func() {
			check(b.do("GET", "/polled?wait=1s&ack=1", ""), "1", "1-5-1", `{"answer":1,"messages":[],"position":"1-5-1"}`+"\n")
		})
		if got := r.asked.Load(); got != 2 {
			b.t.Errorf("asked %d times", got)
		}

		older := make(chan *http.Response, 1)
		go func() { older <- b.do("GET", "/polled?wait=20s&ack=1", "") }()
		synctest.Wait()
		go func() {
			time.Sleep(time.Second)
			r.on(func() { r.send("2", "") })
		}()
		check(b.do("GET", "/polled?wait=20s&ack=1", ""), "2", "1-5-1", `{"answer":2,"messages":[2],"position":"1-5-1"}`+"\n")
		check(<-older, "1", "", `{"answer":1,"messages":[],"superseded":true}`+"\n")

		r.on(func() { r.send("3", ""); r.Close(longwire.Close{Code: "draining", Reason: "r", Retry: time.Second}) })
		<-r.closed
		asked := r.asked.Load()
		const end = `"close":{"code":"draining","reason":"r","retry":1000}}` + "\n"
		check(b.do("GET", "/polled?ack=2", ""), "3", "", `{"answer":3,"messages":[3],`+end)
		check(b.do("GET", "/polled?ack=3", ""), "3", "", `{"answer":3,"messages":[],`+end)
		if got := r.asked.Load(); got != asked {
			b.t.Error("asked after Closed")
		}
	})
}
