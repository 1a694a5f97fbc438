package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

const welcome = `{"op":"connected","session":"` + session + `"}`

// connects makes receivers that answer the frames of a body: connect, others,
// and one that none was.
func connects(d *desk) {
	d.polled = func(r *reader) error {
		r.order = func(_ *fake, frame string) {
			switch {
			case strings.Contains(frame, "connect"):
				r.send(welcome, "")
			default:
				r.send(`{"op":"reply"}`, "")
			}
		}
		return nil
	}
}

// A session by long-polling: opened by its frames, polled, and answered in full.
func TestConnect(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		d := newDesk(t)
		connects(d)
		s := serve(t, d.over(true), m)
		first := s.do("POST", "/?link=x&wait=0s", "\n {\"op\":\"connect\"} \r\n\n\tnonsense\n\"\xff\"", "Content-Type: application/x-www-form-urlencoded")
		if got := first.resp; got.StatusCode != 201 || got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Longwire-Answer") != "1" ||
			got.Header.Get("Longwire-Position") != "1-1-1" || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("X-Middleware") != "kept" {
			t.Errorf("%s %v", got.Status, got.Header)
		}
		const one = `{"answer":1,"messages":[` + welcome + `,{"op":"reply"},{"op":"reply"}],"position":"1-1-1"}` + "\n"
		wantText(t, first.all(), one)
		r := next(t, d.reads)
		for _, want := range []string{`json {"op":"connect"}`, "json nonsense", "json \"\xff\""} {
			wantText(t, next(t, r.heard), want)
		}
		if i := r.Info(); i.Transport != "poll" || i.Target != "/?link=x&wait=0s" {
			t.Errorf("%+v", i)
		}

		wantText(t, s.do("GET", "/polled?wait=0s", "").all(), one) // it may not have arrived
		wantText(t, s.do("GET", "/polled?wait=0s&ack=1", "").all(), `{"answer":1,"messages":[],"position":"1-1-1"}`+"\n")
		got := make(chan string, 1)
		go func() { got <- s.do("GET", "/polled?wait=9s&ack=1", "").all() }()
		r.on(func() { r.send("2", "1-2-1") })
		wantText(t, next(t, got), `{"answer":2,"messages":[2],"position":"1-1-1"}`+"\n")
		s.do("GET", "/polled?ack=3", "").wantStatus(400, "bad_request")
		s.do("GET", "/polled?wait=x", "").wantStatus(400, "bad_request")

		// Who answered while nobody polls is heard by the next poll.
		r.on(func() { r.send("3", ""); r.Close(longwire.Close{Code: wire.CodeForbidden, Reason: "bye"}) })
		if cl := next(t, r.closed); cl.Code != wire.CodeForbidden {
			t.Errorf("%v", cl)
		}
		wantText(t, s.do("GET", "/polled?ack=2", "").all(), `{"answer":3,"messages":[3],"close":{"code":"forbidden","reason":"bye","retry":-1}}`+"\n")
	})
}

// Whoever decides about a client may take a while, is waited for, and may refuse.
func TestConnectWaits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		after  time.Duration
		do     func(r *reader)
		took   time.Duration
		status int
		want   string
		end    wire.Code
	}{
		{"welcome", 3 * time.Second, func(r *reader) { r.send(welcome, "") }, 3 * time.Second, 201, welcome, ""},
		{"late, but in time", 9900 * time.Millisecond, func(r *reader) { r.send(welcome, "") }, 9900 * time.Millisecond, 201, welcome, ""},
		{"refused", 3 * time.Second, func(r *reader) { r.Close(longwire.Close{Code: wire.CodeForbidden, Reason: "not you"}) },
			3 * time.Second, 403, "not you", wire.CodeForbidden},
		{"refused in words", 3 * time.Second, func(r *reader) {
			r.send(`{"op":"error"}`, "")
			r.Close(longwire.Close{Code: wire.CodeUnauthorized})
		}, 3 * time.Second, 401, "unauthorized", wire.CodeUnauthorized},
		{"closed with a code of no error", 3 * time.Second, func(r *reader) { r.Close(longwire.Close{Code: wire.CodeNormal}) }, 3 * time.Second, 503, "normal", wire.CodeNormal},
		{"never", time.Hour, nil, 10 * time.Second, 503, "unavailable", wire.CodeUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d *desk
			virtually(t, func() *Handler {
				d = newDesk(t)
				d.polled = func(r *reader) error { r.unsettled = true; return nil }
				return d.over(true)
			}, func(b *bubble) {
				took(b.t, tt.took, func() {
					go func() {
						r := <-d.reads
						d.reads <- r
						if tt.do != nil {
							time.Sleep(tt.after)
							r.on(func() { tt.do(r) })
						}
					}()
					resp := b.do("POST", "/", "{}")
					body := bodyOf(b.t, resp)
					if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
						b.t.Errorf("%s: %s", resp.Status, body)
					}
				})
				r := <-d.reads
				if tt.end == "" {
					return
				}
				if cl := <-r.closed; cl.Code != tt.end {
					b.t.Errorf("%v", cl)
				}
				if resp := b.do("GET", "/polled?wait=1s", ""); resp.StatusCode != 410 {
					b.t.Errorf("polled: %s", resp.Status)
				}
			})
		})
	}
}

// A client that leaves before it knows of its session has none.
func TestConnectLeaves(t *testing.T) {
	var d *desk
	virtually(t, func() *Handler { d = newDesk(t); return d.over(true) }, func(b *bubble) {
		ctx, cancel := context.WithCancel(b.t.Context())
		r, _ := http.NewRequestWithContext(ctx, "POST", "http://x/", strings.NewReader("{}"))
		time.AfterFunc(time.Second, cancel)
		if _, err := b.client.Do(r); err == nil {
			b.t.Error("answered")
		}
		took(b.t, 0, func() {
			if cl := <-(<-d.reads).closed; cl.Code != wire.CodeNormal || !cl.Remote {
				b.t.Errorf("%v", cl)
			}
		})
	})
}

// A session that nobody polls is lost, and its polls are told where to go.
func TestConnectedIsLost(t *testing.T) {
	var d *desk
	virtually(t, func() *Handler { d = newDesk(t); connects(d); return d.over(true) }, func(b *bubble) {
		bodyOf(b.t, b.do("POST", "/", `{"op":"connect"}`))
		took(b.t, time.Minute, func() {
			if cl := <-(<-d.reads).closed; cl.Code != wire.CodeLost {
				b.t.Errorf("%v", cl)
			}
		})
		resp := b.do("GET", "/polled", "")
		if body := bodyOf(b.t, resp); resp.StatusCode != 410 || !strings.Contains(body, "session_moved") {
			b.t.Errorf("%s %s", resp.Status, body)
		}
	})
}

func TestConnectRefused(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		d := newDesk(t)
		d.polled = func(*reader) error { return &wire.Error{Code: wire.CodeOverloaded, Retry: 2 * time.Second} }
		h := d.over(true)
		s := serve(t, h, m)
		r := s.do("POST", "/", "{}")
		if got := r.resp.Header.Get("Retry-After"); got != "2" {
			t.Errorf("Retry-After: %q", got)
		}
		r.wantStatus(503, "overloaded")
		s.do("POST", "/", strings.Repeat("x", wire.MaxFrame(0)+1)).wantStatus(413, "too_large")
		connects(d)
		s.do("POST", "/", strings.Repeat(" ", wire.MaxFrame(0)-1)+"x").wantStatus(201, "")
		if err := h.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.do("POST", "/", "{}").wantStatus(503, "draining")
		if body := s.do("GET", "/polled?ack=1", "").all(); !strings.Contains(body, `"close":{"code":"draining"`) {
			t.Errorf("%q", body)
		}
	})
}

// A session's stream is not polled, and reading alone is not begun by POST.
func TestWrongKind(t *testing.T) {
	d := newDesk(t)
	s := serve(t, d.over(true), modes[0])
	r := s.do("GET", "/?wait=9s", "") // waiting is for polls: this is a stream
	if got := r.resp.Header.Get("Content-Type"); got != NDJSON.ContentType {
		t.Errorf("Content-Type %q", got)
	}
	next(t, d.opened)
	s.do("GET", "/polled?wait=0s", "").wantStatus(400, "bad_request")
	put := s.do("PUT", "/", "")
	if got := put.resp.Header.Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("Allow %q", got)
	}
	put.wantStatus(405, "method_not_allowed")
	s = serve(t, newDesk(t).over(false), modes[0])
	s.do("POST", "/", "{}").wantStatus(405, "method_not_allowed")
}

// One connection opens a session and polls it, waiting or not, TLS or not.
func TestConnectKeepsConnection(t *testing.T) {
	for _, m := range modes {
		if m.http2 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			d := newDesk(t)
			s := serve(t, d.over(true), m)
			c := s.dial()
			for range 3 {
				c.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{}\n")
				r := next(t, d.reads)
				r.on(func() { r.send(welcome, "") })
				for i := range 5 {
					var a struct{ Answer int }
					if err := json.Unmarshal([]byte(c.body()), &a); err != nil || a.Answer != 1 {
						t.Fatalf("answer %d, %v", a.Answer, err)
					}
					if i < 4 {
						c.say(fmt.Sprintf("GET /polled?wait=5ms&ack=%d HTTP/1.1\r\nHost: x\r\n\r\n", i%2))
					}
				}
			}
		})
	}
}

// HTTP/1.0 has the first answer, too, and a parked one is told its status.
func TestConnectOld(t *testing.T) {
	d := newDesk(t)
	s := serve(t, d.over(true), modes[0])
	c := s.dial()
	c.say("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
	r := next(t, d.reads)
	eventually(t, func() (parked bool) {
		r.on(func() { parked = r.poll.waiting != nil && r.poll.waiting.sock != nil })
		return parked
	})
	r.on(func() { r.send(welcome, "") })
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 201 || resp.ContentLength <= 0 {
		t.Errorf("%v, %v", resp, err)
	}
}

// A link lives on the loop of its session, if the node knows one.
func TestPlaced(t *testing.T) {
	d := newDesk(t)
	h := d.over(true)
	bodies := make(chan string, 1)
	var at atomic.Int32
	d.place = func(r *http.Request, body []byte) *loop.Loop {
		bodies <- r.Method + " " + string(body)
		if r.URL.Path == "/any" {
			return nil
		}
		return h.Engine.Loops().Loops()[at.Load()]
	}
	connects(d)
	s := serve(t, h, modes[0])
	for n := range 2 {
		at.Store(int32(n))
		for range 3 {
			s.do("GET", "/", "")
			wantText(t, next(t, bodies), "GET ")
			if f := next(t, d.opened); f.loop.Index() != n {
				t.Errorf("on loop %d, want %d", f.loop.Index(), n)
			}
			s.do("POST", "/", "{}")
			wantText(t, next(t, bodies), "POST {}")
			if r := next(t, d.reads); r.loop.Index() != n {
				t.Errorf("on loop %d, want %d", r.loop.Index(), n)
			}
		}
	}
	s.do("GET", "/any", "")
	next(t, d.opened)
}

func TestWayTakes(t *testing.T) {
	for upgrade, want := range map[string]bool{"": true, "h2c": true, "WebSocket": false, "foo, websocket": false, "websockets": true} {
		r, _ := http.NewRequest("GET", "/", nil)
		if upgrade != "" {
			r.Header.Set("Upgrade", upgrade)
		}
		if got := Way.Takes(r); got != want {
			t.Errorf("Upgrade: %s: %v", upgrade, got)
		}
	}
	if Way.Handler(&longwire.WayOptions{Node: &longwire.Options{MaxMessage: 7, Log: quiet}}).(*Handler).MaxMessage != 7 {
		t.Error("the node's options are not heeded")
	}
}
