package stream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// openPoll opens a link that is polled.
func (s *site) openPoll() (link, secret string) {
	s.t.Helper()
	r := s.do("POST", "/", "")
	var o struct{ Link, Secret string }
	if err := json.Unmarshal([]byte(r.all()), &o); err != nil || r.resp.StatusCode != 201 {
		s.t.Fatal(r.resp.Status, err)
	}
	return o.Link, o.Secret
}

func (s *site) poll(link, secret, query string) *reading {
	s.t.Helper()
	return s.do("GET", "/?link="+link+query, "", "Longwire-Secret: "+secret)
}

// A polled is an answer.
type polled struct {
	Answer     int
	Messages   []any
	Superseded bool           `json:",omitempty"`
	Close      map[string]any `json:",omitempty"`
}

func (r *reading) polled() polled {
	r.t.Helper()
	var p polled
	body := r.all()
	if err := json.Unmarshal([]byte(body), &p); err != nil || r.resp.StatusCode != 200 {
		r.t.Fatalf("%s %q: %v", r.resp.Status, body, err)
	}
	if got := r.resp.Header.Get("Longwire-Answer"); got != "" && got != fmt.Sprint(p.Answer) {
		r.t.Errorf("Longwire-Answer: %s of %q", got, body)
	}
	return p
}

func (r *reading) wantPolled(want polled) {
	r.t.Helper()
	if want.Messages == nil {
		want.Messages = []any{}
	}
	same(r.t, r.polled(), want)
}

func same(t *testing.T, got, want polled) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("answer %+v, want %+v", got, want)
	}
}

func TestPoll(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		room := newRoom(false)
		s := serve(t, &Handler{Acceptor: room, Upstream: true}, m)
		link, secret := s.openPoll()
		c := next(t, room.opened)
		if i := c.Info(); i.Transport != "poll" || i.Parked == m.goroutines {
			t.Errorf("%+v", i)
		}
		s.poll(link, secret, "&wait=0s").wantPolled(polled{})
		s.poll(link, secret, "&wait=20ms").wantPolled(polled{})
		send(t, c, longwire.Text, "a")
		send(t, c, longwire.JSON, `{ "b": 1}`)
		send(t, c, longwire.Binary, "\xff")
		first := polled{Answer: 1, Messages: []any{"a", map[string]any{"b": 1.}, map[string]any{"data64": "/w=="}}}
		eventually(t, func() bool { return reflect.DeepEqual(s.poll(link, secret, "&wait=0s").polled(), first) })
		send(t, c, longwire.Text, "later")
		s.poll(link, secret, "").wantPolled(first) // was never acknowledged
		s.poll(link, secret, "&ack=0").wantPolled(first)
		s.poll(link, secret, "&ack=1").wantPolled(polled{Answer: 2, Messages: []any{"later"}})
		s.poll(link, secret, "&ack=1").wantPolled(polled{Answer: 2, Messages: []any{"later"}})
		s.poll(link, secret, "&ack=2&wait=10ms").wantPolled(polled{Answer: 2})
		s.poll(link, secret, "&ack=2&wait=10ms").wantPolled(polled{Answer: 2})

		got := make(chan polled, 1)
		go func() { got <- s.poll(link, secret, "&ack=2&wait=9s").polled() }()
		time.Sleep(20 * time.Millisecond) // most times it waits parked by then; both are right
		send(t, c, longwire.Text, "now")
		same(t, next(t, got), polled{Answer: 3, Messages: []any{"now"}})

		s.say(link, secret, "up").wantStatus(202, "")
		if got := next(t, room.heard); got != "text up" {
			t.Errorf("heard %q", got)
		}

		send(t, c, longwire.Text, "last")
		c.CloseWith(longwire.Close{Code: wire.CodeForbidden, Reason: "bye", Retry: -1})
		if cl := next(t, room.closed); cl.Code != wire.CodeForbidden {
			t.Errorf("%v", cl)
		}
		bye := map[string]any{"code": "forbidden", "reason": "bye", "retry": -1.}
		last := polled{Answer: 4, Messages: []any{"last"}, Close: bye}
		s.poll(link, secret, "&ack=3").wantPolled(last)
		s.poll(link, secret, "&ack=3").wantPolled(last)
		s.poll(link, secret, "&ack=4").wantPolled(polled{Answer: 4, Close: bye})
		s.say(link, secret, "x").wantStatus(404, "not_found")
	})
}

// eventually waits for a goroutine of the room to have done its part.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patient); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to be")
		}
	}
}

func TestPollRefused(t *testing.T) {
	room := newRoom(true)
	s := serve(t, &Handler{Acceptor: room, Upstream: true}, modes[0])
	link, secret := s.openPoll()
	stream := s.do("GET", "/", "")
	for _, tt := range []struct {
		name, link, secret, query string
		status                    int
		code                      string
	}{
		{"no secret", link, "", "", 403, "forbidden"},
		{"an unknown link", "AAAAAAAAAAAAAAAAAAAAAA", secret, "", 404, "not_found"},
		{"a stream", stream.resp.Header.Get("Longwire-Link"), stream.resp.Header.Get("Longwire-Secret"), "", 400, "bad_request"},
		{"no duration", link, secret, "&wait=25", 400, "bad_request"},
		{"a negative duration", link, secret, "&wait=-1s", 400, "bad_request"},
		{"no number", link, secret, "&ack=x", 400, "bad_request"},
		{"a number that never was", link, secret, "&ack=1", 400, "bad_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.poll(tt.link, tt.secret, tt.query).wantStatus(tt.status, tt.code)
		})
	}
	s.do("GET", "/?wait=x", "").wantStatus(400, "bad_request")
}

// Of two polls the newer wins.
func TestPollSuperseded(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		room := newRoom(true)
		s := serve(t, &Handler{Acceptor: room, Upstream: true}, m)
		link, secret := s.openPoll()
		c := next(t, room.opened)
		const n = 5
		got := make(chan polled, n)
		for range n {
			go func() { got <- s.poll(link, secret, "&wait=9s").polled() }()
		}
		for range n - 1 {
			if p := next(t, got); !p.Superseded || len(p.Messages) > 0 {
				t.Errorf("%+v", p)
			}
		}
		send(t, c, longwire.Text, "x")
		same(t, next(t, got), polled{Answer: 1, Messages: []any{"x"}})
	})
}

// What waits to be polled is bounded, the answer that may be lost included.
func TestPollFull(t *testing.T) {
	room := newRoom(true)
	room.Open = func(c *longwire.Conn) error { return nil }
	drained := make(chan struct{}, 10)
	var link longwire.Link
	a := acceptor(func(l longwire.Link) (longwire.Receiver, error) {
		link = l
		return &drains{drained: drained}, nil
	})
	s := serve(t, &Handler{Acceptor: a, Upstream: true}, modes[0])
	id, secret := s.openPoll()
	big := longwire.NewMessage(longwire.Text, []byte(strings.Repeat("x", 6000)))
	on := func(f func()) {
		done := make(chan struct{})
		loopOf(link).Post(func(time.Time) { f(); close(done) })
		<-done
	}
	sends := func(want ...error) {
		t.Helper()
		on(func() {
			for _, w := range want {
				if _, err := link.Send(big); err != w {
					t.Errorf("%v, want %v", err, w)
				}
			}
		})
	}
	sends(nil, nil, longwire.ErrFull)
	if p := s.poll(id, secret, "").polled(); len(p.Messages) != 2 {
		t.Fatalf("%d messages", len(p.Messages))
	}
	sends(longwire.ErrFull) // it may be lost and be asked for again
	if len(drained) > 0 {
		t.Fatal("drained before the answer was acknowledged")
	}
	s.poll(id, secret, "&ack=1&wait=0s").wantPolled(polled{Answer: 1})
	next(t, drained)
	sends(nil)
	if p := s.poll(id, secret, "&ack=1").polled(); p.Answer != 2 || len(p.Messages) != 1 {
		t.Fatalf("answer %d with %d messages", p.Answer, len(p.Messages))
	}
}

// drains is a receiver that notes when it may go on.
type drains struct{ drained chan struct{} }

func (d *drains) Receive(time.Time, longwire.Kind, []byte) {}
func (d *drains) Drained(time.Time)                        { d.drained <- struct{}{} }
func (d *drains) Closed(time.Time, error)                  {}

// One connection serves any number of polls, that wait or not, and other requests.
func TestPollKeepsConnection(t *testing.T) {
	for _, m := range modes {
		if m.http2 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			p := &longwire.Plain{Message: func(c *longwire.Conn, k longwire.Kind, p []byte) { c.Send(k, p) }}
			s := serve(t, &Handler{Acceptor: p, Upstream: true}, m)
			link, secret := s.openPoll()
			c := s.dial()
			for i := range 30 {
				if i%3 == 0 {
					s.say(link, secret, "x").wantStatus(202, "")
				}
				c.say(fmt.Sprintf("GET /?link=%s&wait=5ms&ack=%d HTTP/1.1\r\nHost: x\r\nLongwire-Secret: %s\r\n\r\n", link, i/3, secret))
				if i%10 == 0 {
					c.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n") // pipelined behind a poll that waits
				}
				var p polled
				if err := json.Unmarshal([]byte(c.body()), &p); err != nil {
					t.Fatal(err)
				}
				if p.Answer > i/3+1 {
					t.Fatalf("poll %d has answer %d", i, p.Answer)
				}
				if i%10 == 0 {
					if resp, err := http.ReadResponse(c.Reader, &http.Request{Method: "HEAD"}); err != nil || resp.StatusCode != 200 {
						t.Fatal(resp, err)
					}
				}
			}
		})
	}
}

func TestPollReusesTLS(t *testing.T) {
	room := newRoom(true)
	s := serve(t, &Handler{Acceptor: room, Upstream: true}, modes[3])
	link, secret := s.openPoll()
	dials := 0
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if !i.Reused {
			dials++
		}
	}}
	for range 20 {
		r, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", s.URL+"/?wait=3ms&link="+link, nil)
		r.Header.Set("Longwire-Secret", secret)
		if status, _ := statusOf(s.Client().Do(r)); status != 200 {
			t.Fatal(status)
		}
	}
	if dials > 1 {
		t.Errorf("%d connections for 20 polls", dials)
	}
}

// One answer, without a link: at once, when something comes, or at the deadline.
func TestPollOnce(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		room := newRoom(true)
		open := room.Open
		room.Open = func(c *longwire.Conn) error {
			if strings.Contains(c.Info().Target, "now") {
				c.Send(longwire.Text, []byte("now"))
			}
			return open(c)
		}
		s := serve(t, &Handler{Acceptor: room}, m)
		if r := s.do("GET", "/now?wait=9s", ""); r.resp.Header.Get("Longwire-Answer") != "" {
			t.Error("it is numbered")
		} else if got := r.all(); got != `{"messages":["now"]}`+"\n" {
			t.Errorf("%q", got)
		}
		if got := s.do("GET", "/?wait=10ms", "").all(); got != `{"messages":[]}`+"\n" {
			t.Errorf("%q", got)
		}
		next(t, room.opened)
		next(t, room.opened)
		got := make(chan string, 1)
		go func() { got <- s.do("GET", "/?wait=9s", "").all() }()
		c := next(t, room.opened)
		send(t, c, longwire.Text, "then")
		if got := next(t, got); got != `{"messages":["then"]}`+"\n" {
			t.Errorf("%q", got)
		}
		go func() { got <- s.do("GET", "/?wait=9s", "").all() }()
		next(t, room.opened).Close(wire.CodeForbidden, "no")
		if got := next(t, got); got != `{"messages":[],"close":{"code":"forbidden","reason":"no","retry":0}}`+"\n" {
			t.Errorf("%q", got)
		}
		for range 4 {
			next(t, room.closed)
		}
		if !m.http2 {
			c := s.dial()
			c.say("GET /?wait=9s HTTP/1.1\r\nHost: x\r\n\r\n")
			next(t, room.opened)
			c.Conn.Close()
			if cl := next(t, room.closed); !cl.Remote {
				t.Errorf("%v", cl)
			}
		}
	})
}

// A body that opens a link is its first message.
func TestPollOpenWithBody(t *testing.T) {
	room := newRoom(false)
	s := serve(t, &Handler{Acceptor: room, Upstream: true}, modes[0])
	s.do("POST", "/", `[1]`, "Content-Type: application/json").wantStatus(201, "")
	if got := next(t, room.heard); got != "json [1]" {
		t.Errorf("%q", got)
	}
	s.do("POST", "/", `[1`, "Content-Type: application/json").wantStatus(400, "bad_request")
}
