package longwire_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/ways"
)

// A peer that is cut before it hears of a subscription that a frame made comes back
// with a position that does not speak of it, and is ahead of where it began.
func TestTokenFromBeforeASubscription(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		if !w.ByToken {
			return
		}
		r.numbers("a", 1, 3)
		p := r.dial(w, ways.Options{Query: "channel=b"})
		at := r.publish("b", "1")
		p.numbers("b", 1, 1)
		p.hold()
		p.say(`{"op":"subscribe","id":70,"channel":"a","since":"all"}`)
		synctest.Wait()
		p.Cut()
		time.Sleep(time.Second)
		n, _ := p.again(w, string(at))
		n.numbers("a", 1, 3)
		n.silent()
	})
}

// A position of a subscription that was ended and made anew holds, although the new one
// began later.
func TestTokenOfAnEarlierSubscription(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		if !w.ByToken {
			return
		}
		p := r.dial(w, ways.Options{Query: "channel=a"})
		at := r.publish("a", "1")
		p.numbers("a", 1, 1)
		r.numbers("a", 2, 5)
		p.numbers("a", 2, 5)
		p.reply(`{"op":"unsubscribe","channel":"a"}`)
		p.reply(`{"op":"subscribe","channel":"a","since":"last:1"}`)
		p.numbers("a", 5, 5)
		p.Cut()
		time.Sleep(time.Second)
		n, _ := p.again(w, string(at))
		n.numbers("a", 2, 5)
		n.silent()
	})
}
