package longwire_test

import (
	"context"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
)

// A gatedBroker is a memory broker whose reads wait while it is shut.
type gatedBroker struct {
	longwire.Broker

	mu sync.Mutex
	// Guarded by mu.
	gate chan struct{} // closed when reads may go on
	pass int           // reads that may yet
}

func (b *gatedBroker) Read(ctx context.Context, r *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	return func(yield func(*longwire.Publication, error) bool) {
		b.mu.Lock()
		gate := b.gate
		if b.pass > 0 {
			b.pass--
			gate = nil
		}
		b.mu.Unlock()
		if gate == nil {
			b.Broker.Read(ctx, r)(yield)
			return
		}
		select {
		case <-gate:
		case <-ctx.Done():
		}
		b.Broker.Read(ctx, r)(yield)
	}
}

// shut has reads wait, except the next few.
func (b *gatedBroker) shut(pass int) (open func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	gate := make(chan struct{})
	b.gate, b.pass = gate, pass
	return sync.OnceFunc(func() { close(gate) })
}

// gated runs a body with a node over a gated broker.
func gated(t *testing.T, o longwire.Options, m *longwire.MemoryOptions, body func(t *testing.T, r *rig, b *gatedBroker)) {
	synctest.Test(t, func(t *testing.T) {
		b := &gatedBroker{Broker: longwire.NewMemory(m)}
		b.shut(0)()
		t.Cleanup(func() {
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		o.Broker = b
		body(t, newRig(t, o), b)
	})
}

// A link may die while history is asked where its subscriptions begin.
func TestLinkDiesWhilePlacesAreLookedFor(t *testing.T) {
	gated(t, openToAll, nil, func(t *testing.T, r *rig, b *gatedBroker) {
		r.numbers("a", 1, 3)
		open := b.shut(0)
		p := r.read("/channels/a,b,c", "since=all", "", "")
		synctest.Wait()
		p.Cut()
		time.Sleep(5 * time.Second)
		open()
		synctest.Wait()
	})
}

// The program may end a subscription of a session that is polled while history is
// asked where it begins.
func TestUnsubscribedWhilePlacesAreLookedFor(t *testing.T) {
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			gated(t, openToAll, nil, func(t *testing.T, r *rig, b *gatedBroker) {
				r.numbers("a", 1, 3)
				p := r.dial(w, ways.Options{})
				open := b.shut(0)
				p.say(`{"op":"subscribe","id":70,"channel":"a","since":"all"}`)
				synctest.Wait()
				if err := r.node.Session(p.session).Unsubscribe("a"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				open()
				p.want("reply")
				if f := p.next(); f.ID != 70 || f.Op != "error" {
					t.Errorf("heard %v", f)
				}
				r.publish("a", "4")
				p.silent()
			})
		})
	}
}

// A subscription that begins while others catch up from a page of history is not in
// that page, and must miss nothing by it.
func TestSubscribeWhileAPageIsRead(t *testing.T) {
	o := openToAll
	longwire.Bound(&o, longwire.Bounds{Recent: 8})
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			gated(t, o, nil, func(t *testing.T, r *rig, b *gatedBroker) {
				r.numbers("a", 1, 30)
				p := r.dial(w, ways.Options{})
				at := r.publish("b", "0")
				r.numbers("b", 1, 4)
				open := b.shut(1) // its place is told, the page is not
				p.reply(`{"op":"subscribe","channel":"a","since":"last:30"}`)
				p.reply(`{"op":"subscribe","channel":"b","since":%q}`, at)
				open()
				var heard []string
				for len(heard) < 34 {
					f, ok := p.tryNext()
					if !ok {
						break
					}
					if f.Op == "message" {
						heard = append(heard, f.Channel+string(f.Data))
					}
				}
				if len(heard) != 34 {
					p.fatal("heard %d: %s", len(heard), strings.Join(heard, " "))
				}
			})
		})
	}
}
