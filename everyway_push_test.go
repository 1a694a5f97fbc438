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

func TestServerPush(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		s := r.node.Session(p.session)
		for _, tt := range []struct {
			kind             longwire.Kind
			data             string
			typ, json, bytes string
		}{
			{longwire.JSON, `{"a": 1}`, "", `{"a":1}`, ""},
			{longwire.Text, "hi\n", "text", `"hi\n"`, ""},
			{longwire.Binary, "\x00\xff", "", "", "\x00\xff"},
		} {
			sent := make(chan error)
			go func() { sent <- s.Send("alert", tt.kind, []byte(tt.data)) }()
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			if f := p.want("send"); f.Method != "alert" || f.Type != tt.typ || string(f.Data) != tt.json || string(f.Data64) != tt.bytes {
				t.Errorf("heard %v", f)
			}
		}
		for _, err := range []error{
			s.Send("alert", longwire.JSON, []byte("{")), s.Send("alert", longwire.Text, []byte("\xff")),
			s.Send("", longwire.JSON, []byte("1")), s.Send(strings.Repeat("x", 129), longwire.JSON, []byte("1")),
		} {
			if err == nil {
				t.Error("what cannot be sent was taken")
			}
		}
		p.silent()
	})
}

// TestPushIsBounded sends more than may wait, while the loop is busy with nothing else.
func TestPushIsBounded(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		s := r.node.Session(p.session)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					for s.Send("n", longwire.Binary, make([]byte, 1000)) != nil {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		for range 400 {
			p.want("send")
		}
		wg.Wait()
		p.silent()
	})
}

func TestServerSubscribes(t *testing.T) {
	everyWay(t, longwire.Options{}, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		s := r.node.Session(p.session)
		if err := s.Subscribe("a..b"); wire.CodeOf(err) != wire.CodeBadChannel {
			t.Error(err)
		}
		for range 2 { // the second time is no error, and not told
			if err := s.Subscribe("@secret"); err != nil {
				t.Fatal(err)
			}
		}
		if f := p.want("reply"); f.ID != 0 || f.Channel != "@secret" || f.Position == "" {
			t.Errorf("heard %v", f)
		}
		at := r.publish("@secret", "1")
		p.message("@secret", `"1"`)
		p.refused(wire.CodeForbidden, `{"op":"subscribe","channel":"@secret"}`)
		p.reply(`{"op":"subscribe","channel":"mine"}`)
		p.Cut()
		time.Sleep(time.Second)
		r.publish("@secret", "2")
		n, f := p.again(w, string(at), "other")
		if w.ByToken {
			n.message("@secret", `"2"`)
		} else { // the list does not say where it goes on, so it is from now on
			for _, s := range f.Subscriptions {
				if s.Gap != (s.Channel == "@secret") || s.Channel == "mine" {
					t.Errorf("resumed: %v", f)
				}
			}
		}
		r.publish("@secret", "3")
		n.message("@secret", `"3"`)
		if err := s.Unsubscribe("@secret"); err != nil {
			t.Fatal(err)
		}
		if f := n.want("reply"); f.ID != 0 || f.Channel != "@secret" || f.Position != "" {
			t.Errorf("heard %v", f)
		}
		r.publish("@secret", "4")
		n.silent()
		_ = s.Unsubscribe("@secret") // there is none
		n.silent()
	})
}

// A leaving collects what Disconnect hears.
type leaving struct {
	mu   sync.Mutex
	list []*longwire.DisconnectEvent // guarded by mu
}

func (l *leaving) hook(_ context.Context, e *longwire.DisconnectEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, e)
}

func (l *leaving) all() []*longwire.DisconnectEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list[:len(l.list):len(l.list)]
}

// of returns what was heard about one session.
func (l *leaving) of(session string) (list []*longwire.DisconnectEvent) {
	for _, e := range l.all() {
		if e.ID == session {
			list = append(list, e)
		}
	}
	return list
}

func TestServerCloses(t *testing.T) {
	for _, reads := range []bool{true, false} { // a poll that does not read is between two polls
		var left leaving
		o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
		secureToo(t, o, func(t *testing.T, r *rig, w ways.Way) {
			p := r.dial(w, ways.Options{})
			p.reply(`{"op":"subscribe","channel":"x"}`)
			s := r.node.Session(p.session)
			if !reads {
				p.hold()
				time.Sleep(30 * time.Second) // a poll that waits is over then
			}
			time.Sleep(time.Second)
			if err := s.Close(longwire.Close{Code: wire.CodeForbidden, Reason: "you have been banned"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second / 2)
			if l := left.of(p.session); len(l) != 1 || l[0].Reason == nil || l[0].Reason.Code != wire.CodeForbidden {
				t.Errorf("Disconnect heard %+v", l)
			}
			if r.node.Session(p.session) != nil {
				t.Error("the session is still known")
			}
			if !reads {
				p.free()
			}
			if e := p.ended(wire.CodeForbidden); e.Reason != "you have been banned" {
				t.Errorf("ended with %v", e)
			}
			for what, err := range map[string]error{
				"Send": s.Send("x", longwire.Text, nil), "Close": s.Close(longwire.Close{}), "Subscribe": s.Subscribe("x"), "Unsubscribe": s.Unsubscribe("x"),
			} {
				if !errors.Is(err, longwire.ErrClosed) {
					t.Errorf("%s after the end: %v", what, err)
				}
			}
			n, err := r.tryDial(w, ways.Options{Resume: &ways.Credentials{Session: p.session, Secret: p.secret}})
			if err != nil {
				t.Fatal(err)
			}
			if f := n.connected(); f.Session == p.session {
				t.Errorf("a session that was closed was resumed: %v", f)
			}
		})
	}
}

func TestInbox(t *testing.T) {
	everyWay(t, longwire.Options{Handler: longwire.Handler{Connect: byToken}}, func(t *testing.T, r *rig, w ways.Way) {
		a, b, other := r.dial(w, ways.Options{Token: "eve@x"}), r.dial(w, ways.Options{Token: "eve@x"}), r.dial(w, ways.Options{Token: "bob"})
		in := longwire.Inbox("eve@x")
		r.publish(in, "1")
		a.message(in, `"1"`)
		b.message(in, `"1"`)
		a.refused(wire.CodeAlreadySubscribed, `{"op":"subscribe","channel":%q}`, in)
		other.refused(wire.CodeForbidden, `{"op":"subscribe","channel":%q}`, in)
		other.refused(wire.CodeForbidden, `{"op":"history","channel":%q}`, in)
		if f := a.reply(`{"op":"history","channel":%q}`, in); len(f.Publications) != 1 {
			t.Errorf("heard %v", f)
		}
		a.reply(`{"op":"unsubscribe","channel":%q}`, in) // whoever wants none may do without
		a.reply(`{"op":"subscribe","channel":%q,"since":"all"}`, in)
		a.message(in, `"1"`)
		other.silent()
	})
}

// TestInboxIsKept resumes: what came to the inbox meanwhile is not lost.
func TestInboxIsKept(t *testing.T) {
	everyPair(t, longwire.Options{Handler: longwire.Handler{Connect: byToken}}, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{Token: "eve"})
		in := longwire.Inbox("eve")
		r.publish(in, "1")
		at := p.message(in, `"1"`).Position
		p.Cut()
		time.Sleep(time.Second)
		r.publish(in, "2")
		n, err := r.tryDial(then, resumption(p, then, at, "eve", in))
		if err != nil {
			t.Fatal(err)
		}
		n.connected()
		n.message(in, `"2"`)
		r.publish(in, "3")
		n.message(in, `"3"`)
		n.silent()
	})
}
