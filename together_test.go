package longwire_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
)

// TestTogether has many come back at once, each for a channel of its own and from another place, when the node has nothing of
// what they missed in memory. Some have missed more than is kept. Each gets what it is to get, and history is not read for each.
func TestTogether(t *testing.T) {
	const sessions, publications, keeps = 300, 40, 25
	for _, parts := range []int{1, 3} {
		t.Run(fmt.Sprint("partitions=", parts), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := longwire.NewMemory(&longwire.MemoryOptions{Count: keeps, Partitions: parts})
				defer b.Close(context.Background())
				o := longwire.Options{Open: true, Rate: -1, Broker: distant{lasting{b}}}
				longwire.Bound(&o, longwire.Bounds{Recent: 1, Page: 7, Together: 8})
				r := newRig(t, o)
				at := make([]string, sessions) // where each stood
				name := func(i int) string { return fmt.Sprint("to.", i) }
				for n := range publications {
					for i := range sessions {
						p := string(r.publish(name(i), fmt.Sprint(n)))
						if n == i%publications {
							at[i] = p
						}
					}
				}
				peers := make([]*peer, sessions)
				for i := range peers {
					peers[i] = r.dial(ways.All()[i%5], ways.Options{})
				}
				for i, p := range peers {
					p.say(`{"op":"subscribe","id":1,"channel":%q,"since":%q}`, name(i), at[i])
				}
				for i, p := range peers {
					p.want("reply")
					next := i%publications + 1
					if publications-next > keeps+1 {
						next = publications - keeps - 1 // one more than it promises
						p.want("gap")
					}
					for ; next < publications; next++ {
						p.message(name(i), fmt.Sprintf("%q", fmt.Sprint(next)))
					}
				}
				if reads := r.node.Reads(); reads > sessions {
					t.Errorf("history was read %d times for %d sessions", reads, sessions)
				}
				time.Sleep(time.Second)
			})
		})
	}
}

// A distant broker takes its time for a read.
type distant struct{ lasting }

func (d distant) Read(ctx context.Context, r *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	time.Sleep(10 * time.Millisecond)
	return d.lasting.Read(ctx, r)
}
