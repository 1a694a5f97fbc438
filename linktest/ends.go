package linktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// leave is the code of a link whose client said goodbye.
func (s *suite) leave() wire.Code {
	if s.Leave == "" {
		return wire.CodeNormal
	}
	return s.Leave
}

// gone is the code of a link that was cut.
func (s *suite) gone() wire.Code {
	if s.Gone == "" {
		return wire.CodeLost
	}
	return s.Gone
}

func (s *suite) serverCloses(t *testing.T) {
	r := s.serve(t, handlers{})
	for _, tt := range []struct {
		code         wire.Code
		reason, want string
	}{
		{wire.CodeNormal, "that was all", "that was all"},
		{"", "", wire.CodeNormal.Info().Message},
		{wire.CodeDraining, "back in a minute", "back in a minute"},
		{wire.CodeSuperseded, "", wire.CodeSuperseded.Info().Message},
		{wire.CodeForbidden, "grüße \"quoted\" 漢字", "grüße \"quoted\" 漢字"},
	} {
		p, l := r.connect()
		for i := range 3 {
			if err := l.Send(s.Kinds[0], s.out(s.word(fmt.Sprint(i)))); err != nil {
				t.Fatal(err)
			}
		}
		l.Close(tt.code, tt.reason)
		l.Close(wire.CodeInternal, "closing twice is the same as closing once")
		for i := range 3 {
			p.wantWord(fmt.Sprint(i))
		}
		code := tt.code
		if code == "" {
			code = wire.CodeNormal
		}
		p.wantEnd(code, tt.want)
		p.Cut()
		l.wantEnd(code, false)
		if end := l.wait(); end.Reason != tt.reason {
			t.Errorf("the Close handler heard the reason %q, want %q", end.Reason, tt.reason)
		}
	}
}

// serverClosesFull closes behind a queue that is full.
func (s *suite) serverClosesFull(t *testing.T) {
	p, l := s.serve(t, handlers{}).connect()
	n := l.fill()
	l.Close(wire.CodeDraining, "")
	p.wantKiBs(0, n)
	p.wantEnd(wire.CodeDraining, "")
	p.Cut()
	l.wantEnd(wire.CodeDraining, false)
}

func (s *suite) clientCloses(t *testing.T) {
	heard := make(chan string, 10)
	r := s.serve(t, handlers{forget: soon, message: func(_ *longwire.Conn, _ longwire.Kind, p []byte) {
		heard <- s.unword(p)
	}})
	for range 5 {
		p, l := r.connect()
		p.say("one")
		p.say("two")
		if err := p.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		l.wantEnd(s.leave(), true)
		for _, want := range []string{"one", "two"} {
			if got := await(t, heard, want); got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
	}
}

// soon is when a client is forgotten that cannot say goodbye.
const soon = 500 * time.Millisecond

func (s *suite) clientCuts(t *testing.T) {
	heard := make(chan string, 1)
	r := s.serve(t, handlers{forget: soon, message: func(_ *longwire.Conn, _ longwire.Kind, p []byte) {
		heard <- s.unword(p)
	}})
	for range 5 {
		p, l := r.connect()
		p.say("here")
		await(t, heard, "the message")
		p.Cut()
		l.wantEnd(s.gone(), true)
	}
}

// clientCutsBusy cuts a link that goroutines send on, some of them waiting.
func (s *suite) clientCutsBusy(t *testing.T) {
	p, l := s.serve(t, handlers{forget: soon}).connect()
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			for {
				if err := l.SendWait(context.Background(), s.Kinds[0], l.kib(1)); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	p.wantKiBs(1, 2)
	p.Cut()
	for range cap(errs) {
		if err := await(t, errs, "the end of a SendWait"); !errors.Is(err, longwire.ErrClosed) {
			t.Errorf("SendWait: %v, want ErrClosed", err)
		}
	}
	if end := l.wait(); codeOf(&end) != s.gone() && codeOf(&end) != wire.CodeLost { // a write tells more than a read
		t.Errorf("the Close handler heard %v, want code %s", &end, s.gone())
	}
}

// bothClose closes from both ends, several times at each, at the same time.
func (s *suite) bothClose(t *testing.T) {
	r := s.serve(t, handlers{})
	for i := range 20 {
		p, l := r.connect()
		var wg sync.WaitGroup
		if i%2 == 0 {
			wg.Go(func() { p.Close() })
		} else {
			wg.Go(p.Cut)
		}
		for range 3 {
			wg.Go(func() { l.Close(wire.CodeGoingAway, "") })
			wg.Go(func() { l.SendWait(context.Background(), s.Kinds[0], s.out(s.word("late"))) })
		}
		wg.Wait()
		switch end := l.wait(); codeOf(&end) {
		case wire.CodeGoingAway, wire.CodeLost, s.leave():
		default:
			t.Errorf("the Close handler heard %v", &end)
		}
	}
}

// halfClose is a client that says all it has to say and listens: the answers
// come, then the end.
func (s *suite) halfClose(t *testing.T) {
	r := s.serve(t, echoing(t))
	for _, n := range []int{0, 1, 500} {
		p, l := r.connect()
		if !p.canCloseWrite() {
			t.Skip("the client cannot finish writing and go on reading")
		}
		sent := make(chan error, 1)
		go func() {
			for i := range n {
				p.send(s.Kinds[0], s.word(kib(i)))
			}
			sent <- p.Client.(CloseWriter).CloseWrite()
		}()
		p.wantKiBs(0, n)
		p.wantEnd(wire.CodeNormal, "")
		if err := await(t, sent, "the end of sending"); err != nil {
			t.Error(err)
		}
		p.Cut()
		l.wantEnd(wire.CodeNormal, true)
	}
}

func (p *peer) canCloseWrite() bool { _, ok := p.Client.(CloseWriter); return ok }

// halfOpen is the same where the server has more to say in its own time.
func (s *suite) halfOpen(t *testing.T) {
	heard := make(chan string, 1)
	r := s.serve(t, handlers{halfOpen: true, message: func(_ *longwire.Conn, _ longwire.Kind, p []byte) { heard <- s.unword(p) }})
	p, l := r.connect()
	if !p.canCloseWrite() {
		t.Skip("the client cannot finish writing and go on reading")
	}
	p.say("last words")
	if err := p.Client.(CloseWriter).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	await(t, heard, "the last message")
	for i := range 100 {
		if err := l.Send(s.Kinds[0], s.out(s.word(fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
		p.wantWord(fmt.Sprint(i))
	}
	l.Close(wire.CodeDraining, "")
	p.wantEnd(wire.CodeDraining, "")
	p.Cut()
	l.wantEnd(wire.CodeDraining, false)
}

// afterEnd is what a Conn says once its link is gone, and in the Close handler.
func (s *suite) afterEnd(t *testing.T) {
	try := func(c *longwire.Conn) {
		m := s.out(s.word("late"))
		for name, err := range map[string]error{
			"Send":        c.Send(s.Kinds[0], m),
			"a long Send": c.Send(s.Kinds[0], make([]byte, 10_000)),
			"SendMessage": c.SendMessage(longwire.NewMessage(s.Kinds[0], m)),
			"SendWait":    c.SendWait(context.Background(), s.Kinds[0], m),
		} {
			if !errors.Is(err, longwire.ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", name, err)
			}
		}
		c.Close(wire.CodeInternal, "again")
		if c.Info().Transport != s.Transport {
			t.Error("Info is gone")
		}
	}
	r := s.serve(t, handlers{forget: soon, close: func(c *longwire.Conn, _ error) { try(c) }})
	for _, end := range []func(p *peer, l *life){
		func(p *peer, _ *life) { p.Cut() },
		func(_ *peer, l *life) { l.Close(wire.CodeNormal, ""); try(l.Conn) },
		func(p *peer, _ *life) { p.Close() },
	} {
		p, l := r.connect()
		end(p, l)
		go p.Close()
		l.wait()
		try(l.Conn)
	}
}
