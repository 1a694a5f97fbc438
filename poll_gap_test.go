package longwire_test

import (
	"context"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
)

// Who reads by polls, and comes back to what is not kept any more, gets on: each answer has a publication behind
// the gap, however large that is.
func TestLargeBehindAGap(t *testing.T) {
	o := openToAll
	o.Broker = deep{keeps: 2}
	longwire.Bound(&o, longwire.Bounds{Recent: 1})
	everyReading(t, o, func(t *testing.T, r *rig, w ways.Reading) {
		large := strings.Repeat("x", 20_000)
		first := string(r.publish("a.1", "first"))
		r.publish("a.2", large) // is kept: the gap ends before it, and who goes on from there has the same gap
		for range 6 {
			r.publish("a.1", large)
		}
		p := r.reads(w, "a.*", "", first)
		for got := 0; got < 4; {
			switch f := p.next(); f.Op {
			case "message":
				got++
			case "gap":
			default:
				t.Fatalf("heard %v", f)
			}
		}
	})
}

// A read by pattern that was told of a gap gets on: what another channel loses after that is told, too, also where it is
// older than what was lost before.
func TestLossBehindALoss(t *testing.T) {
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &losing{Broker: longwire.NewMemory(&longwire.MemoryOptions{Count: 3})}
				o := openToAll
				o.Broker = b
				longwire.Bound(&o, longwire.Bounds{Recent: 1, Page: 1})
				r := newRig(t, o)
				first := r.publish("x", "0")
				r.numbers("r.b", 1, 4)
				r.numbers("r.a", 1, 10)                                // of which it keeps four
				b.after, b.lose = 2, func() { r.numbers("r.b", 5, 6) } // 1 and 2 are gone when 1 was read
				p := r.dial(w, ways.Options{})
				p.say(`{"op":"subscribe","id":1,"channel":"r.*","since":%q}`, first)
				p.want("reply")
				p.want("gap")
				p.message("r.b", `"1"`)
				p.want("gap")
				p.message("r.b", `"3"`)
			})
		})
	}
}

// A losing broker loses something when a read begins behind a number.
type losing struct {
	longwire.Broker
	after uint64
	lose  func()
}

func (b *losing) Read(ctx context.Context, r *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	if lose := b.lose; r.After == b.after && lose != nil {
		b.lose = nil
		lose()
	}
	return b.Broker.Read(ctx, r)
}
