package linktest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/linktest"
	"github.com/longwire/longwire/wire"
)

// A mover is what longwire's node looks for in a link.
type mover interface {
	longwire.Link
	Loop() *loop.Loop
	Move(to *loop.Loop, then func(now time.Time))
}

// A roamer is the receiver of a link that moves when a message says so, and
// answers the others with the loop that it heard them on.
type roamer struct {
	t     *testing.T
	loops []*loop.Loop
	link  mover
	home  int                // the loop that it begins on
	held  chan chan struct{} // the message "hold" waits for its end
	ended chan error
	moves chan struct{} // gets a value when a move begins, if there is room

	moving bool
}

// roamers is their acceptor.
type roamers struct {
	t      *testing.T
	loops  []*loop.Loop
	opened chan *roamer
}

func (a *roamers) Accept(_ time.Time, l longwire.Link) (longwire.Receiver, error) {
	r := &roamer{
		t: a.t, loops: a.loops, link: l.(mover), home: l.(mover).Loop().Index(),
		held: make(chan chan struct{}, 1), ended: make(chan error, 2), moves: make(chan struct{}, 1),
	}
	a.opened <- r
	return r, nil
}

func (r *roamer) Receive(_ time.Time, _ longwire.Kind, p []byte) {
	if r.moving {
		r.t.Errorf("%q was heard during a move", p)
	}
	from := r.link.Loop()
	word, arg, _ := strings.Cut(string(p), " ")
	switch word {
	case "hold":
		held := make(chan struct{})
		r.held <- held
		<-held
	case "pause":
		r.link.Pause(true)
		r.move(from, arg)
	case "move":
		r.move(from, arg)
	default:
		r.say(fmt.Sprintf("%s on %d", p, from.Index()))
	}
}

func (r *roamer) move(from *loop.Loop, arg string) {
	n, _ := strconv.Atoi(arg)
	to := r.loops[n]
	r.moving = true
	select {
	case r.moves <- struct{}{}:
	default:
	}
	r.link.Move(to, func(now time.Time) {
		r.moving = false
		if r.link.Loop() != to || !now.Equal(to.Now()) {
			r.t.Error("then does not run on the other loop")
		}
		r.say("moved to " + arg)
	})
	if _, err := r.link.Send(longwire.NewMessage(longwire.Text, []byte("too early"))); !errors.Is(err, longwire.ErrFull) {
		r.t.Errorf("sending during a move: %v", err)
	}
}

func (r *roamer) say(s string) {
	if _, err := r.link.Send(longwire.NewMessage(longwire.Text, []byte(s))); err != nil {
		r.t.Errorf("sending %.40q: %v", s, err)
	}
}

func (r *roamer) Drained(time.Time) {}

func (r *roamer) Ended(time.Time) {
	if r.moving {
		r.t.Error("the peer's end was heard during a move")
	}
	r.say(fmt.Sprintf("end on %d", r.link.Loop().Index()))
	r.link.Close(longwire.Close{})
}

func (r *roamer) Closed(_ time.Time, err error) { r.ended <- err }

// A harbour is an engine with a way in, whose links are roamers.
type harbour struct {
	*testing.T
	way    linktest.Way
	engine *longwire.Engine
	loops  []*loop.Loop
	opened chan *roamer
	dial   func() (linktest.Client, error)
}

func newHarbour(t *testing.T, way linktest.Way, goroutines bool) *harbour {
	e, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 3, Goroutines: goroutines, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	h := &harbour{T: t, way: way, engine: e, loops: e.Loops().Loops(), opened: make(chan *roamer, 1)}
	h.dial = way.Serve(t, linktest.Options{Engine: e, Acceptor: &roamers{t, h.loops, h.opened}})
	return h
}

// forEachHarbour runs body over every way whose links can move.
func forEachHarbour(t *testing.T, body func(h *harbour)) {
	for _, way := range []linktest.Way{tcpLines, tlsLines, tcpUint32, webSocket("ws", false), webSocket("wss", true)} {
		for _, goroutines := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, goroutines %t", way.Name, goroutines), func(t *testing.T) {
				body(newHarbour(t, way, goroutines))
			})
		}
	}
}

func (h *harbour) connect() (linktest.Client, *roamer) {
	h.Helper()
	c, err := h.dial()
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(c.Cut)
	return c, <-h.opened
}

func (h *harbour) say(c linktest.Client, words ...string) {
	h.Helper()
	for _, w := range words {
		if err := c.Send(h.way.Kinds[0], []byte(w)); err != nil {
			h.Fatal(err)
		}
	}
}

func (h *harbour) hear(c linktest.Client, words ...string) {
	h.Helper()
	for _, w := range words {
		if _, p, err := c.Receive(); string(p) != w || err != nil {
			h.Fatalf("heard %.40q, %v; want %.40q", p, err, w)
		}
	}
}

// next is a loop that the link is not on at first.
func (r *roamer) next() int { return (r.home + 1) % 3 }

// What a peer had sent behind the message that moves its link arrives on the
// other loop, in order, and what the link says leaves in order, too.
func TestMove(t *testing.T) {
	forEachHarbour(t, func(h *harbour) {
		c, r := h.connect()
		h.say(c, "hold")
		held := <-r.held
		var want []string
		for i := range 30 { // in one read, as far as it goes
			n := strconv.Itoa(i * 7 % 3)      // the loop that it is on already, too
			long := strings.Repeat("b", i*10) // all answers have room in the queue
			h.say(c, "move "+n, "a", long, "c")
			want = append(want, "moved to "+n, "a on "+n, long+" on "+n, "c on "+n)
		}
		close(held)
		h.hear(c, want...)
		if err := c.Close(); err != nil {
			h.Error(err)
		}
		if end := longwire.CloseOf(<-r.ended, ""); end.Code == wire.CodeLost {
			h.Errorf("ended with %v", end)
		}
	})
}

// A pause stays over a move.
func TestMovePaused(t *testing.T) {
	forEachHarbour(t, func(h *harbour) {
		c, r := h.connect()
		h.say(c, "pause 1", "x")
		h.hear(c, "moved to 1")
		h.loops[1].Post(func(time.Time) { r.say("before"); r.link.Pause(false) })
		h.hear(c, "before", "x on 1")
	})
}

// A peer that is cut off while its link is about to leave, or between two loops.
func TestMoveAndThePeerIsGone(t *testing.T) {
	forEachHarbour(t, func(h *harbour) {
		for i := range 10 {
			c, r := h.connect()
			arrival := make(chan struct{})
			n := r.next()
			h.loops[n].Post(func(time.Time) { <-arrival })
			h.say(c, fmt.Sprint("move ", n))
			<-r.moves
			if i%2 == 0 {
				runtime.Gosched()
			}
			c.Cut()
			close(arrival)
			if end := longwire.CloseOf(<-r.ended, ""); end.Code != wire.CodeLost {
				h.Errorf("ended with %v", end)
			}
		}
	})
}

// An engine that is closed while its links are about to leave, or between two loops.
func TestMoveAndTheEngineIsClosed(t *testing.T) {
	forEachHarbour(t, func(h *harbour) {
		arrival := make(chan struct{})
		var clients []linktest.Client
		var links []*roamer
		for len(links) < 6 {
			c, r := h.connect()
			clients, links = append(clients, c), append(links, r)
		}
		h.loops[0].Post(func(time.Time) { <-arrival })
		for i, r := range links {
			if r.link.Loop() != h.loops[0] { // it would not hear
				h.say(clients[i], "move 0")
				<-r.moves
			}
		}
		closed := make(chan error, 1)
		go func() { closed <- h.engine.Close(context.Background()) }()
		runtime.Gosched()
		close(arrival)
		for i, r := range links {
			for err := error(nil); err == nil; {
				_, _, err = clients[i].Receive()
			}
			clients[i].Cut()
			if end := longwire.CloseOf(<-r.ended, ""); end.Code != wire.CodeGoingAway {
				h.Errorf("ended with %v", end)
			}
		}
		if err := <-closed; err != nil {
			h.Error(err)
		}
	})
}

// A peer's last line, without an end, moves the link: that there is no more is
// heard where it arrives.
func TestMoveAtTheEnd(t *testing.T) {
	h := newHarbour(t, tcpLines, false)
	c, r := h.connect()
	n := r.next()
	conn := c.(*tcpClient)
	fmt.Fprintf(conn.conn, "move %d", n)
	conn.CloseWrite()
	h.hear(c, fmt.Sprint("moved to ", n), fmt.Sprint("end on ", n))
}
