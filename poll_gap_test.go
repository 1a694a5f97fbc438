package longwire_test

import (
	"strings"
	"testing"

	"github.com/longwire/longwire/internal/ways"
)

// Who reads by polls, and comes back to what is not kept any more, gets on: each answer has a publication behind
// the gap, however large that is.
func TestLargeBehindAGap(t *testing.T) {
	o := openToAll
	o.Broker = deep{keeps: 2}
	everyReading(t, o, func(t *testing.T, r *rig, w ways.Reading) {
		first := string(r.publish("a.1", "first"))
		for range 5 {
			r.publish("a.1", strings.Repeat("x", 20_000))
			r.publish("a.2", strings.Repeat("y", 20_000))
		}
		p := r.reads(w, "a.*", "", first)
		for got := 0; got < 6; {
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
