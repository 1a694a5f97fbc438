package linktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longwire/longwire"
)

// enough is more than the kernel's buffers and a client's take.
const enough = 64 << 20

func kib(n int) string { return fmt.Sprintf("%01000d", n) }

func (l *life) kib(n int) []byte { return l.rig.s.out(l.rig.s.word(kib(n))) }

// fill sends numbered messages of a KiB until there is no room for a while,
// and returns how many were taken. A loop that is only late makes room soon.
func (l *life) fill() int {
	l.rig.t.Helper()
	for n := range enough >> 10 {
		err := l.Send(l.rig.s.Kinds[0], l.kib(n))
		if errors.Is(err, longwire.ErrFull) {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			err = l.SendWait(ctx, l.rig.s.Kinds[0], l.kib(n))
			cancel()
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return n
		}
		if err != nil {
			l.rig.t.Fatalf("message %d: %v", n, err)
		}
	}
	l.rig.t.Fatalf("%d MiB were taken for a client that does not read", enough>>20)
	return 0
}

func (p *peer) wantKiBs(from, to int) {
	p.t.Helper()
	for n := from; n < to; n++ {
		p.wantMessage(p.s.Kinds[0], p.s.word(kib(n)))
	}
}

// full is a client that does not read for a while.
func (s *suite) full(t *testing.T) {
	p, l := s.serve(t, handlers{}).connect()
	n := l.fill()
	sent := make(chan error, 1)
	go func() { sent <- l.SendWait(context.Background(), s.Kinds[0], l.kib(n)) }()
	p.wantKiBs(0, n+1)
	if err := await(t, sent, "SendWait"); err != nil {
		t.Errorf("SendWait: %v", err)
	}
	for i := n + 1; i < n+101; i++ { // one at a time there is always room
		if err := l.Send(s.Kinds[0], l.kib(i)); err != nil {
			t.Fatalf("there is no room again: %v", err)
		}
		p.wantKiBs(i, i+1)
	}
}

// slowClient does not read, and another client does not notice.
func (s *suite) slowClient(t *testing.T) {
	r := s.serve(t, handlers{message: func(c *longwire.Conn, kind longwire.Kind, p []byte) { c.Send(kind, s.out(p)) }})
	slow, l := r.connect()
	n := l.fill()
	p, _ := r.connect()
	for i := range 50 {
		p.say(fmt.Sprint(i))
		p.wantWord(fmt.Sprint(i))
	}
	slow.wantKiBs(0, n)
}

// slowHandler is a handler that is stuck for a while: its client is held back,
// or refused if it sends by requests, and what was taken is handled.
func (s *suite) slowHandler(t *testing.T) {
	if s.onLoop {
		t.Skip("handlers on the loop must not be slow")
	}
	most := 1 << 10 // of 4 KiB each, far more than the kernel's buffers
	if s.Posts {
		most = 64 // these have no buffers in between
	}
	gate, handled := make(chan struct{}), make(chan string, most)
	r := s.serve(t, handlers{message: func(_ *longwire.Conn, _ longwire.Kind, p []byte) {
		<-gate
		handled <- s.unword(p)[:8]
	}})
	p, _ := r.connect()
	pad := strings.Repeat("p", 4000)
	word := func(n int) string { return fmt.Sprintf("%08d%s", n, pad) }
	var taken atomic.Int64
	sent := make(chan error, 1)
	go func() {
		for i := range most {
			if err := p.send(s.Kinds[0], s.word(word(i))); err != nil {
				sent <- err
				return
			}
			taken.Add(1)
		}
		sent <- nil
	}()
	steady(&taken)
	if int(taken.Load()) == most {
		t.Errorf("%d KiB were taken for a handler that is stuck", most*4)
	}
	close(gate)
	if err := await(t, sent, "the end of sending"); err != nil && !s.Posts {
		t.Fatalf("sending: %v", err)
	}
	for i := range int(taken.Load()) {
		if got, want := await(t, handled, "a message"), word(i)[:8]; got != want {
			t.Fatalf("message %s was handled, want %s", got, want)
		}
	}
}

// steady waits until n has not changed for a while.
func steady(n *atomic.Int64) {
	for last, same := int64(-1), 0; same < 10; same++ {
		if v := n.Load(); v != last {
			last, same = v, 0
		}
		time.Sleep(5 * time.Millisecond)
	}
}
