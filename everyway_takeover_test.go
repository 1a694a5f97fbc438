package longwire_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// TestTwoLinks resumes a session whose link is well: the newer wins.
func TestTwoLinks(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	everyPair(t, o, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		r.numbers("x", 1, 2)
		at := p.numbers("x", 1, 2)
		time.Sleep(time.Second) // a poll waits
		n, _ := p.again(then, at, "x")
		r.numbers("x", 3, 4)
		n.numbers("x", 3, 4)
		p.ended(wire.CodeSuperseded)
		time.Sleep(5 * time.Minute) // whatever becomes of the old link
		r.numbers("x", 5, 5)
		n.numbers("x", 5, 5)
		if l := left.of(p.session); len(l) != 0 {
			t.Errorf("Disconnect heard %+v", l[0])
		}
	})
}

// TestTakenOverUnread resumes a session whose link is well but is not read just now:
// a poll is between two of them.
func TestTakenOverUnread(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		if then.Name == "poll" && first.Name == "poll" {
			return // two who poll by the same id and secret cannot be told apart
		}
		p := r.dial(first, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		r.numbers("x", 1, 2)
		at := p.numbers("x", 1, 2)
		p.hold()
		time.Sleep(30 * time.Second)
		n, _ := p.again(then, at, "x")
		r.numbers("x", 3, 4)
		n.numbers("x", 3, 4)
		p.free()
		p.ended(wire.CodeSuperseded)
		r.numbers("x", 5, 5)
		n.numbers("x", 5, 5)
		n.silent()
	})
}

// TestTakenOverFrozen resumes while the server believes in a link whose peer has
// vanished. What dies late changes nothing.
func TestTakenOverFrozen(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	everyPair(t, o, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		r.numbers("x", 1, 2)
		at := p.numbers("x", 1, 2)
		p.Vanish()
		r.numbers("x", 3, 5)
		time.Sleep(20 * time.Second)
		n, _ := p.again(then, at, "x")
		n.numbers("x", 3, 5)
		time.Sleep(5 * time.Minute)
		r.numbers("x", 6, 6)
		n.numbers("x", 6, 6)
		n.silent()
		if l := left.of(p.session); len(l) != 0 {
			t.Errorf("Disconnect heard %+v", l[0])
		}
	})
}

// TestVanished is a peer that is gone without a word: its silence ends its link, and
// so its session. A stream's peer says nothing anyway, so its network has to notice.
func TestVanished(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		if w.Posts && w.Name != "poll" {
			return
		}
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		synctest.Wait() // a poll waits
		p.Vanish()
		code, after := wire.CodeIdleTimeout, 35*time.Second
		if w.Name == "poll" {
			code, after = wire.CodeLost, 25*time.Second+time.Minute // the poll that waits, then none
		}
		time.Sleep(after + 25*time.Second)
		if l := left.of(p.session); len(l) != 0 {
			t.Fatalf("Disconnect heard %+v too early", l[0])
		}
		time.Sleep(10 * time.Second)
		if l := left.of(p.session); len(l) != 1 || l[0].Reason.Code != code {
			t.Errorf("Disconnect heard %+v", l)
		}
	})
}

// TestResumedAgainAndAgain changes ways with no time in between, while much is
// published.
func TestResumedAgainAndAgain(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		const all = 120
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range all {
				r.numbers("x", i, i)
				time.Sleep(10 * time.Millisecond)
			}
		}()
		for next := 0; next < all; {
			some := min(next+11, all-1)
			at := p.numbers("x", next, some)
			if next = some + 1; next/12%2 == 1 {
				p, _ = p.again(then, at, "x")
			} else {
				p, _ = p.again(first, at, "x")
			}
		}
		<-done
		p.silent()
	})
}
