package linktest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A receiver is an acceptor without a plain door, which tries what a Link
// itself promises. All of it runs on the link's loop.
type receiver struct {
	t      *testing.T
	s      *suite
	link   longwire.Link
	busy   bool // inside a call to the link, or of the receiver
	paused bool
	line   []byte
	next   int // the number of the next message to be sent
	upTo   int // send until this
	full   bool
	heard  chan string
	end    chan error
}

func (r *receiver) Accept(_ time.Time, l longwire.Link) (longwire.Receiver, error) {
	r.link = l
	return r, nil
}

// enter sees to it that calls come one at a time and never from inside one.
func (r *receiver) enter(what string) (leave func()) {
	if r.busy {
		r.t.Errorf("%s was called from inside a call", what)
	}
	r.busy = true
	return func() { r.busy = false }
}

func (r *receiver) Receive(_ time.Time, _ longwire.Kind, p []byte) {
	defer r.enter("Receive")()
	if r.paused {
		r.t.Errorf("Receive was called while the link is paused, with %q", p)
	}
	if !r.s.NoBoundaries {
		r.hear(r.s.unword(p))
		return
	}
	r.line = append(r.line, p...)
	for {
		m, rest, ok := bytes.Cut(r.line, lf)
		if !ok {
			return
		}
		r.line = rest
		r.hear(string(m))
	}
}

func (r *receiver) hear(word string) {
	r.heard <- word
	switch word {
	case "send":
		r.upTo += 1_200
		r.send()
	case "hold":
		r.paused = true
		r.link.Pause(true)
		r.upTo += 1_200
		r.send()
		r.resume()
	case "bye":
		r.link.Close(longwire.Close{Code: wire.CodeGoingAway, Reason: "for good"})
		r.link.Close(longwire.Close{Code: wire.CodeInternal})
		if _, err := r.link.Send(r.message()); !errors.Is(err, longwire.ErrClosed) {
			r.t.Errorf("Send after Close: %v, want ErrClosed", err)
		}
		r.link.Pause(true)
		r.link.Pause(false)
	}
}

func (r *receiver) message() *longwire.Message {
	return longwire.NewMessage(r.s.Kinds[0], r.s.out(r.s.word(kib(r.next))))
}

func (r *receiver) send() {
	for r.next < r.upTo {
		m := r.message()
		waiting, err := r.link.Send(m)
		// Frames have heads; half a KiB is for the largest.
		if most := wire.MaxQueuedOut + len(m.Data()) + 512; waiting > most {
			r.t.Errorf("%d bytes wait, want at most %d", waiting, most)
		}
		if errors.Is(err, longwire.ErrFull) {
			r.full = true
			return
		}
		if err != nil {
			r.t.Errorf("Send: %v", err)
			return
		}
		r.next++
	}
}

func (r *receiver) Drained(time.Time) {
	defer r.enter("Drained")()
	if !r.full {
		r.t.Error("Drained was called without an ErrFull before")
	}
	r.full = false
	r.send()
	r.resume()
}

// resume reads on when all that a pause was for is on its way.
func (r *receiver) resume() {
	if r.paused && r.next == r.upTo {
		r.paused = false
		r.link.Pause(false)
	}
}

func (r *receiver) Closed(_ time.Time, err error) {
	defer r.enter("Closed")()
	r.end <- err
}

// link tries what a Link and a Receiver promise each other.
func (s *suite) link(t *testing.T) {
	if s.onLoop {
		t.Skip("the same without a plain door") // as off the loop
	}
	r := &receiver{t: t, s: s, heard: make(chan string, 100), end: make(chan error, 2)}
	dial := s.Serve(t, Options{Engine: s.engine, Acceptor: r})
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Cut()
		await(t, r.end, "Closed")
	})
	p := &peer{Client: c, t: t, s: s}

	p.say("send")
	p.wantKiBs(0, 1_200)
	p.say("hold")
	said := make(chan error, 1)
	go func() { said <- errors.Join(p.send(s.Kinds[0], s.word("a")), p.send(s.Kinds[0], s.word("b"))) }()
	p.wantKiBs(1_200, 2_400)
	if err := await(t, said, "the end of sending"); err != nil {
		t.Fatal(err)
	}
	p.say("bye")
	for _, want := range []string{"send", "hold", "a", "b", "bye"} {
		if got := await(t, r.heard, want); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	p.wantEnd(wire.CodeGoingAway, "for good")
	p.Cut()
	err = await(t, r.end, "Closed")
	if end, ok := err.(*longwire.Close); !ok || end.Code != wire.CodeGoingAway || end.Reason != "for good" || end.Remote {
		t.Errorf("Closed heard %#v, want what Close was told", err)
	}
	r.end <- err // for the cleanup
}
