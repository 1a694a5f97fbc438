package stream

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A refusal has the status of its code, but what may be tried again EventSource
// must be told with status 200. The connection serves on.
func TestRefused(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		for _, tt := range []struct {
			name, accept string
			err          error
			status       int
			code         string
		}{
			{"forbidden", wantsSSE, errors.New("secret reason"), 403, "forbidden"},
			{"for good", wantsSSE, &wire.Error{Code: wire.CodeOverloaded, Retry: -1}, 503, "overloaded"},
			{"for now", wantsLines, &longwire.Close{Code: wire.CodeOverloaded, Retry: 1500 * time.Millisecond}, 503, "overloaded"},
			{"for now, EventSource", wantsSSE, &longwire.Close{Code: wire.CodeOverloaded, Retry: 1500 * time.Millisecond}, 200, ""},
			{"a code of no error", wantsLines, &longwire.Close{}, 503, "normal"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				a := acceptor(func(longwire.Link) (longwire.Receiver, error) { return nil, tt.err })
				s := serve(t, &Handler{Acceptor: a}, m)
				for range 2 {
					r := s.do("GET", "/", "", tt.accept)
					if tt.status == 200 {
						r.want("retry: 1500", "event: close")
					}
					r.wantStatus(tt.status, tt.code)
					if after := r.resp.Header.Get("Retry-After"); tt.name == "for now" && after != "2" {
						t.Errorf("Retry-After: %q", after)
					}
					if r.resp.Header.Get("X-Middleware") != "kept" {
						t.Error("a middleware's header is lost")
					}
				}
			})
		}
	})
}

// acceptor is a function as an Acceptor.
type acceptor func(longwire.Link) (longwire.Receiver, error)

func (a acceptor) Accept(_ time.Time, l longwire.Link) (longwire.Receiver, error) { return a(l) }

func TestHandlerPanics(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		p := &longwire.Plain{Message: func(*longwire.Conn, longwire.Kind, []byte) { panic("on purpose") }, Log: quiet}
		s := serve(t, &Handler{Acceptor: p, Upstream: true}, m)
		r := s.do("GET", "/", "", wantsLines)
		other := s.do("GET", "/", "", wantsLines)
		s.post(r, "x").wantStatus(202, "")
		if line := r.line(); !strings.Contains(line, `"code":"handler_panic"`) {
			t.Errorf("%q", line)
		}
		if len(other.resp.Header.Get("Longwire-Link")) != 22 {
			t.Error("no link")
		}
		s.post(other, "x").wantStatus(202, "")
		other.line()
	})
}

func TestShutdown(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		room := newRoom(false)
		h := &Handler{Acceptor: room, Upstream: true}
		s := serve(t, h, m)
		r := s.do("GET", "/", "", wantsLines)
		link, secret := s.openPoll()
		next(t, room.opened)
		next(t, room.opened)
		if err := h.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if cl := next(t, room.closed); cl.Code != wire.CodeDraining {
				t.Errorf("%v", cl)
			}
		}
		if line := r.line(); !strings.Contains(line, `"code":"draining"`) {
			t.Errorf("%q", line)
		}
		if got := s.poll(link, secret, "").all(); !strings.Contains(got, `"close":{"code":"draining"`) {
			t.Errorf("%q", got)
		}
		s.do("GET", "/", "").wantStatus(503, "draining")
		s.do("POST", "/", "").wantStatus(503, "draining")
		s.do("GET", "/?wait=1s", "").wantStatus(503, "draining")
		es := s.do("GET", "/", "", wantsSSE)
		es.line()
		es.want("event: close")
		es.wantStatus(200, "")
	})
}

// An engine that is closed ends all links in order, also those without a socket.
func TestEngineClosed(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		room := newRoom(false)
		h := &Handler{Acceptor: room, Upstream: true}
		s := serve(t, h, m)
		r := s.do("GET", "/", "", wantsLines)
		send(t, next(t, room.opened), longwire.Text, "here") // what has not begun is cut without a word
		r.want(`"here"`)
		s.openPoll()
		next(t, room.opened)
		if err := h.Engine.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if cl := next(t, room.closed); cl.Code != wire.CodeGoingAway {
				t.Errorf("%v", cl)
			}
		}
		if line := r.line(); !strings.Contains(line, `"code":"going_away"`) {
			t.Errorf("%q", line)
		}
		if rest := r.all(); rest != "" {
			t.Errorf("then %q", rest)
		}
		// Not by POST: its connection may be one that the engine's end cut, and
		// only requests that may be repeated are.
		s.do("GET", "/", "").wantStatus(503, "draining")
		s.do("GET", "/?wait=1s", "").wantStatus(503, "draining")
	})
}
