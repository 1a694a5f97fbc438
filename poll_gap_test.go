package longwire_test

import (
	"strings"
	"testing"

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
