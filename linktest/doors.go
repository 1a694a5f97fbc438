package linktest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// refused is a connection that Open does not want.
func (s *suite) refused(t *testing.T) {
	answers := make(chan error, 1)
	answers <- nil
	r := s.serve(t, handlers{open: func(*longwire.Conn) error { return <-answers }})
	lives, l := r.connect()
	for _, tt := range []struct {
		err    error
		code   wire.Code
		reason string
	}{
		{wire.Errorf(wire.CodeOverloaded, "full house"), wire.CodeOverloaded, "full house"},
		{&longwire.Close{Code: wire.CodeDraining, Reason: "not now"}, wire.CodeDraining, "not now"},
		{fmt.Errorf("wrapped: %w", &wire.Error{Code: wire.CodeUnauthorized}), wire.CodeUnauthorized, ""},
		{errors.New("secret detail"), wire.CodeForbidden, wire.CodeForbidden.Info().Message},
	} {
		answers <- tt.err
		s.wantRefusal(t, r, tt.code, tt.reason)
	}
	l.Send(s.Kinds[0], s.out(s.word("still here")))
	lives.wantWord("still here")
}

// wantRefusal connects and is told why not, by the connection or in it.
func (s *suite) wantRefusal(t *testing.T, r *rig, code wire.Code, reason string) {
	t.Helper()
	c, err := r.dial()
	p := &peer{t: t, s: s, Client: c}
	if err == nil {
		t.Cleanup(c.Cut)
		_, _, err = p.receive()
	}
	if err == nil {
		t.Fatal("a message came from a connection that was refused")
	}
	p.wantEndErr(err, code, reason)
	if c != nil {
		c.Cut()
	}
}

// panics is a handler that panics: its link ends, and no other notices.
func (s *suite) panics(t *testing.T) {
	var where string
	var mu sync.Mutex
	at := func(h string) {
		mu.Lock()
		bang := where == h
		mu.Unlock()
		if bang {
			panic("linktest: a handler panics in " + h)
		}
	}
	set := func(h string) { mu.Lock(); where = h; mu.Unlock() }
	r := s.serve(t, handlers{
		open:    func(*longwire.Conn) error { at("Open"); return nil },
		message: func(c *longwire.Conn, kind longwire.Kind, p []byte) { at("Message"); c.Send(kind, s.out(p)) },
		close:   func(*longwire.Conn, error) { at("Close") },
	})
	other, _ := r.connect()

	set("Open")
	s.wantRefusal(t, r, wire.CodeHandlerPanic, "")

	set("")
	p, l := r.connect()
	p.say("one")
	p.wantWord("one")
	set("Message")
	p.say("two")
	p.wantEnd(wire.CodeHandlerPanic, "")
	p.Cut()
	l.wantEnd(wire.CodeHandlerPanic, false)

	set("")
	p, l = r.connect()
	set("Close")
	l.Close(wire.CodeNormal, "")
	p.wantEnd(wire.CodeNormal, "")
	p.Cut()
	l.wantEnd(wire.CodeNormal, false)

	set("")
	other.say("still here")
	other.wantWord("still here")
}

// fromHandlers uses connections from inside their own handlers.
func (s *suite) fromHandlers(t *testing.T) {
	send := func(c *longwire.Conn, w string) {
		var err error
		if s.onLoop {
			err = c.Send(s.Kinds[0], s.out(s.word(w)))
		} else {
			err = c.SendWait(context.Background(), s.Kinds[0], s.out(s.word(w)))
		}
		if err != nil {
			t.Errorf("sending %.20q: %v", w, err)
		}
	}
	r := s.serve(t, handlers{
		open: func(c *longwire.Conn) error { send(c, "hello"); send(c, kib(1)); return nil },
		message: func(c *longwire.Conn, _ longwire.Kind, p []byte) {
			switch s.unword(p) {
			case "much":
				for i := range 100 {
					if s.onLoop && i >= 15 {
						break
					}
					send(c, kib(i))
				}
			case "bye":
				send(c, "bye")
				c.Close(wire.CodeDraining, "as asked")
			}
		},
	})
	p, l := r.connect()
	p.wantWord("hello")
	p.wantKiBs(1, 2)
	p.say("much")
	n := 100
	if s.onLoop {
		n = 15
	}
	p.wantKiBs(0, n)
	p.say("bye")
	p.wantWord("bye")
	p.wantEnd(wire.CodeDraining, "as asked")
	p.Cut()
	l.wantEnd(wire.CodeDraining, false)

	r = s.serve(t, handlers{open: func(c *longwire.Conn) error {
		send(c, "only this")
		c.Close(wire.CodeLifetime, "")
		return nil
	}})
	p, l = r.connect()
	p.wantWord("only this")
	p.wantEnd(wire.CodeLifetime, "")
	p.Cut()
	l.wantEnd(wire.CodeLifetime, false)
}

// tooLarge is a message over the limit, and one just within it.
func (s *suite) tooLarge(t *testing.T) {
	if s.NoBoundaries {
		t.Skip("no messages")
	}
	const most = 64 << 10
	h := echoing(t)
	h.max = most
	r := s.serve(t, h)
	other, _ := r.connect()
	for _, kind := range s.Kinds {
		for _, size := range []int{most + 1, 4 << 20} {
			p, l := r.connect()
			p.roundTrip([]message{{kind, s.payload(kind, most, 1)}})
			refused := make(chan error, 1)
			go func() { refused <- p.send(kind, s.payload(kind, size, 2)) }()
			if s.Posts {
				// The request is refused, and the link with it or not at all.
				if err := await(t, refused, "an answer"); err == nil {
					t.Errorf("a message of %d bytes was taken, the limit is %d", size, most)
				}
				continue
			}
			p.wantEnd(wire.CodeTooLarge, "")
			p.Cut()
			await(t, refused, "the end of sending")
			l.wantEnd(wire.CodeTooLarge, false)
		}
	}
	other.roundTrip([]message{{s.Kinds[0], s.word("still here")}})
}

// many uses many connections at once, so that handlers of different ones meet.
func (s *suite) many(t *testing.T) {
	const clients = 40
	each := 30
	if s.Posts {
		each = 5
	}
	r := s.serve(t, handlers{message: func(c *longwire.Conn, kind longwire.Kind, p []byte) {
		runtime.Gosched()
		c.Send(kind, s.out(p))
	}})
	var peers []*peer
	for range clients {
		p, _ := r.connect()
		peers = append(peers, p)
	}
	errs := make(chan error, clients)
	for n, p := range peers {
		go func() {
			for i := range each {
				w := s.word(fmt.Sprint(n, i))
				err := p.send(s.Kinds[0], w)
				if err == nil {
					err = p.expect(s.Kinds[0], w)
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- p.Close()
		}()
	}
	for range clients {
		if err := await(t, errs, "a client's end"); err != nil {
			t.Error(err)
		}
	}
}

func (s *suite) info(t *testing.T) {
	p, l := s.serve(t, handlers{}).connect()
	i := l.Info()
	if i.Transport != s.Transport {
		t.Errorf("Transport %q, want %q", i.Transport, s.Transport)
	}
	if want := !s.Unparked && !s.goroutines; i.Parked != want {
		t.Errorf("Parked %v, want %v", i.Parked, want)
	}
	if a, ok := p.Client.(Addresser); ok {
		local, remote := a.Addresses()
		if i.Remote.String() != local || i.Local.String() != remote {
			t.Errorf("addresses %v and %v, want %s and %s", i.Remote, i.Local, local, remote)
		}
	}
	switch {
	case (i.TLS != nil) != s.TLS:
		t.Errorf("TLS %v, want %v", i.TLS != nil, s.TLS)
	case s.TLS && (!i.TLS.HandshakeComplete || i.TLS.Version == 0):
		t.Errorf("TLS state %+v", i.TLS)
	}
	if !strings.HasPrefix(i.Target, s.Target) || s.Target == "" && i.Target != "" {
		t.Errorf("Target %q, want %q", i.Target, s.Target)
	}
	if got := i.Header.Get("X-Linktest"); got != s.Header {
		t.Errorf("X-Linktest %q, want %q", got, s.Header)
	}
}

// engineCloses ends links by the end of the engine that they live on.
func (s *suite) engineCloses(t *testing.T) {
	engine := newEngine(t, s.goroutines)
	r := s.serve(t, handlers{engine: engine})
	var peers []*peer
	var lives []*life
	for range 20 {
		p, l := r.connect()
		peers, lives = append(peers, p), append(lives, l)
	}
	for _, l := range lives {
		if err := l.Send(s.Kinds[0], s.out(s.word("last words"))); err != nil {
			t.Fatal(err)
		}
	}
	closed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		closed <- engine.Close(ctx)
	}()
	for _, p := range peers {
		if s.Forgets {
			break // a client that is not there cannot be told
		}
		p.wantWord("last words")
		p.wantEnd(wire.CodeGoingAway, "")
		p.Cut()
	}
	if err := await(t, closed, "the end of Close"); err != nil {
		t.Errorf("Close: %v", err)
	}
	for _, l := range lives {
		select {
		case <-l.ended:
		default:
			t.Fatal("Close returned before a Close handler had")
		}
		l.wantEnd(wire.CodeGoingAway, false)
	}
	if n := engine.Links(); n != 0 {
		t.Errorf("%d links are left", n)
	}
}

// leavesNothing looks at what is left of 200 connections.
func (s *suite) leavesNothing(t *testing.T) {
	s.engine = newEngine(t, s.goroutines)
	r := s.serve(t, handlers{message: func(c *longwire.Conn, kind longwire.Kind, p []byte) { c.Send(kind, s.out(p)) }})
	round := func(i int) {
		p, l := r.connect()
		p.say("x")
		p.wantWord("x")
		switch {
		case i%3 == 0 && !s.Forgets:
			p.Close()
		case i%3 == 1 && !s.Forgets:
			p.Cut()
		default:
			l.Close(wire.CodeNormal, "")
			p.wantEnd(wire.CodeNormal, "")
		}
		p.Cut()
		l.wait()
	}
	for i := range 10 { // what is made once and kept
		round(i)
	}
	before := left()
	for i := range 200 {
		round(i)
	}
	deadline := time.Now().Add(patience)
	for left().over(before) || s.engine.Links() > 0 {
		if time.Now().After(deadline) {
			t.Errorf("before 200 connections: %v, after: %v, links: %d", before, left(), s.engine.Links())
			return
		}
		time.Sleep(5 * time.Millisecond) // nothing tells when a goroutine has ended
	}
}
