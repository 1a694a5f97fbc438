package longwire_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
)

// An endlessBroker is a memory broker that is read until nobody wants it any more.
type endlessBroker struct {
	longwire.Broker
	reads atomic.Int32
}

func (b *endlessBroker) Read(ctx context.Context, _ *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	return func(yield func(*longwire.Publication, error) bool) {
		b.reads.Add(1)
		<-ctx.Done()
		b.reads.Add(-1)
		yield(nil, ctx.Err())
	}
}

// What nobody waits for any more is not read on: who asks for much and goes away costs
// nothing afterwards.
func TestAbandonedReads(t *testing.T) {
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &endlessBroker{Broker: longwire.NewMemory(nil)}
				t.Cleanup(func() { b.Close(context.Background()) })
				o := openToAll
				o.Broker = b
				r := newRig(t, o)
				p := r.dial(w, ways.Options{})
				p.say(`{"op":"subscribe","channel":"a.*","since":"last:5"}`)
				reader := r.read("/channels/a.*", "since=all", "", "")
				synctest.Wait()
				if n := b.reads.Load(); n != 2 {
					t.Fatalf("%d reads, want 2", n)
				}
				p.Cut()
				reader.Cut()
				time.Sleep(2 * time.Minute) // until one who polls is missed
				if n := b.reads.Load(); n != 0 {
					t.Errorf("%d reads go on", n)
				}
			})
		})
	}
}
