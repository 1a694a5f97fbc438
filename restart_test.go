package longwire_test

import (
	"context"
	"iter"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// A forgetfulBroker is a memory broker whose store can lose its end: then another takes its place, in
// another epoch.
type forgetfulBroker struct {
	mu   sync.Mutex
	b    longwire.Broker
	sink func(longwire.Feed)
	kept []*longwire.Publication
}

func (f *forgetfulBroker) Publish(p *longwire.Publication, done func(*longwire.Publication, error)) {
	f.now().Publish(p, done)
}

func (f *forgetfulBroker) now() longwire.Broker {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.b
}

func (f *forgetfulBroker) Follow(ctx context.Context, sink func(longwire.Feed)) error {
	f.sink = sink
	go f.b.Follow(ctx, f.tell(nil)) // it ends with ctx
	<-ctx.Done()
	return nil
}

func (f *forgetfulBroker) tell(earlier []longwire.EpochEnd) func(longwire.Feed) {
	return func(b longwire.Feed) {
		f.mu.Lock()
		f.kept = append(f.kept, b.Publications...)
		f.mu.Unlock()
		b.Earlier = earlier
		f.sink(b)
	}
}

// lose loses all but the first publications.
func (f *forgetfulBroker) lose(ctx context.Context, keep int) {
	old := f.kept
	b := longwire.NewMemory(nil)
	for _, p := range old[:keep] {
		b.Publish(&longwire.Publication{Channel: p.Channel, Kind: p.Kind, Data: p.Data}, func(*longwire.Publication, error) {})
	}
	f.mu.Lock()
	f.b, f.kept = b, nil
	f.mu.Unlock()
	go b.Follow(ctx, f.tell([]longwire.EpochEnd{{Epoch: old[0].Epoch, Last: uint64(keep)}}))
}

func (f *forgetfulBroker) Read(ctx context.Context, r *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	return f.now().Read(ctx, r)
}

func (f *forgetfulBroker) Close(ctx context.Context) error { return f.now().Close(ctx) }

// A broker that has lost what it told begins again. All links end, and may come back at once; who had what is lost is
// told of a gap by the broker, who had less goes on.
func TestBrokerBeginsAgain(t *testing.T) {
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &forgetfulBroker{b: longwire.NewMemory(nil)}
				o := openToAll
				o.Broker = f
				r := newRig(t, o)
				p := r.dial(w, ways.Options{})
				p.reply(`{"op":"subscribe","channel":"a"}`)
				first := r.numbers("a", 1, 1)
				r.numbers("a", 2, 4)
				at := p.numbers("a", 1, 4)
				synctest.Wait() // a poll waits
				f.lose(t.Context(), 2)
				synctest.Wait()
				p.ended(wire.CodeUnavailable)
				r.numbers("a", 13, 14)
				// It had three and four, which are lost; what is in their place it has not.
				n, c := p.again(w, at, "a")
				if !c.Subscriptions[0].Gap {
					t.Errorf("connected: %v, without a gap", c)
				}
				for seen := 0; seen < 2; {
					if m := n.next(); string(m.Data) == `"13"` || string(m.Data) == `"14"` {
						seen++
					}
				}
				n.Cut()
				q := r.dial(ways.All()[0], ways.Options{Subscribe: wishes(string(first), "a")})
				q.numbers("a", 2, 2)
				q.numbers("a", 13, 14)
				q.silent()
			})
		})
	}
}
