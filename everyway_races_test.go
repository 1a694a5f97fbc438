package longwire_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// TestResumedAtOnce has several links resume one session at the same moment: one of
// them has it in the end, the others are told so.
func TestResumedAtOnce(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	everyPair(t, o, func(t *testing.T, r *rig, first, then ways.Way) {
		if then.Name == "poll" {
			return // those who poll by the same id and secret cannot be told apart
		}
		p := r.dial(first, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		r.numbers("x", 1, 1)
		at := p.numbers("x", 1, 1)
		p.Cut()
		r.numbers("x", 2, 3)
		var mu sync.Mutex
		var links []*peer
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				n, err := r.tryDial(then, resumption(p, then, at, "", "x"))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				links = append(links, n)
			})
		}
		wg.Wait()
		time.Sleep(5 * time.Second)
		r.numbers("x", 4, 4)
		winners := 0
		for _, n := range links {
			if f, ok := n.tryNext(); !ok { // superseded before it heard anything
				n.ended(wire.CodeSuperseded)
				continue
			} else if f.Session != p.session {
				n.fatal("heard %v", f)
			}
			got := 1
			f, ok := n.tryNext()
			for ; ok && f.Op == "message"; f, ok = n.tryNext() {
				if got++; string(f.Data) != `"`+string(rune('0'+got))+`"` {
					n.fatal("heard %v, want number %d", f, got)
				}
			}
			switch {
			case ok:
				n.fatal("heard %v", f)
			case got == 4 && n.whyNot() == nil:
				winners++
			default:
				n.ended(wire.CodeSuperseded)
			}
		}
		if winners != 1 {
			t.Errorf("%d links have the session", winners)
		}
		if l := left.of(p.session); len(l) != 0 {
			t.Errorf("Disconnect heard %+v", l[0])
		}
	})
}

// TestClosedWhileResumed closes a session while a link comes for it.
func TestClosedWhileResumed(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	everyPair(t, o, func(t *testing.T, r *rig, first, then ways.Way) {
		for range 5 {
			p := r.dial(first, ways.Options{})
			p.reply(`{"op":"subscribe","channel":"x"}`)
			s := r.node.Session(p.session)
			p.Cut()
			closed := make(chan error)
			go func() { closed <- s.Close(longwire.Close{Code: wire.CodeForbidden}) }()
			n, err := r.tryDial(then, ways.Options{Resume: &ways.Credentials{Session: p.session, Secret: p.secret}})
			if err != nil {
				if wire.CodeOf(err) != wire.CodeForbidden {
					t.Error(err)
				}
				<-closed
				continue
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
			f, ok := n.tryNext()
			switch {
			case !ok:
				n.ended(wire.CodeForbidden)
			case f.Op != "connected":
				n.fatal("heard %v", f)
			case f.Session == p.session:
				n.ended(wire.CodeForbidden)
			default: // it was gone: another
				n.silent()
			}
			time.Sleep(time.Second)
			if l := left.of(p.session); len(l) != 1 {
				t.Errorf("Disconnect heard %+v", l)
			}
		}
	})
}

// TestHooksUseTheSession from inside themselves.
func TestHooksUseTheSession(t *testing.T) {
	use := func(s *longwire.Session) {
		if err := errors.Join(s.Send("hello", longwire.JSON, []byte("1")), s.Subscribe("given"), s.Unsubscribe("given")); err != nil {
			t.Error(err)
		}
		if s.Peer() == nil || s.ID() == "" {
			t.Errorf("%+v", s)
		}
	}
	o := longwire.Options{Open: true, Handler: longwire.Handler{
		Subscribe: func(_ context.Context, s *longwire.Session, _ string) error { use(s); return nil },
		Publish:   func(_ context.Context, s *longwire.Session, _ *longwire.Publication) error { use(s); return nil },
		Call: func(s *longwire.Session, c *longwire.Call) {
			use(s)
			if err := c.Reply(longwire.JSON, []byte("1")); err != nil {
				t.Error(err)
			}
			if c.Method == "end" {
				s.Close(longwire.Close{Code: wire.CodeUnauthorized})
			}
		},
		Send: func(s *longwire.Session, _ string, _ longwire.Kind, _ []byte) { use(s) },
	}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		for _, f := range []string{
			`{"op":"subscribe","id":50,"channel":"x"}`, `{"op":"publish","id":50,"channel":"y","data":1}`,
			`{"op":"call","id":50,"method":"x","data":1}`, `{"op":"send","method":"x","data":1}`,
		} {
			p.say("%s", f)
			p.want("send")
			for range 2 {
				if f := p.want("reply"); f.Channel != "given" {
					p.fatal("heard %v", f)
				}
			}
			if strings.Contains(f, `"id"`) {
				if f := p.want("reply"); f.ID != 50 {
					p.fatal("heard %v", f)
				}
			}
		}
		p.say(`{"op":"call","id":51,"method":"end","data":1}`)
		for f := p.next(); f.ID != 51; f = p.next() {
			continue
		}
		p.ended(wire.CodeUnauthorized)
	})
}

// TestPushedAway pushes to a session that has no link: that is at most once.
func TestPushedAway(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		at := p.reply(`{"op":"subscribe","channel":"x"}`).Position
		s := r.node.Session(p.session)
		p.Cut()
		time.Sleep(noticed(first))
		if err := s.Send("lost", longwire.Text, []byte("1")); err != nil {
			t.Error(err)
		}
		if err := s.Subscribe("given"); err != nil {
			t.Error(err)
		}
		r.numbers("x", 1, 1)
		n, f := p.again(then, at, "x")
		names := map[string]bool{}
		for _, s := range f.Subscriptions {
			names[s.Channel] = true
		}
		if !names["x"] || !names["given"] || len(names) != 2 {
			t.Errorf("resumed: %v", f)
		}
		n.numbers("x", 1, 1)
		if err := s.Send("heard", longwire.Text, []byte("2")); err != nil {
			t.Error(err)
		}
		if f := n.want("send"); f.Method != "heard" {
			t.Errorf("heard %v", f)
		}
		r.publish("given", "3")
		n.message("given", `"3"`)
		n.silent()
	})
}
