package brokertest_test

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/brokertest"
	"github.com/longwire/longwire/wire"
)

// A lasting broker is the one in memory as a durable one would be: what it keeps is apart from
// it, so it can be closed, killed and opened again, and its feeds can break. It is there to try
// the suite.
type lasting struct {
	store *store
	bend  faults

	ctx    context.Context // ends when the broker does
	cancel context.CancelFunc

	mu sync.Mutex
	// Guarded by mu.
	closed  bool
	refused []func()       // what hears that it is, after what is under way
	over    bool           // nothing is
	under   sync.WaitGroup // publications under way
	feeds   map[*broken]bool
}

// A broken feed is one that was interrupted, if stop is called.
type broken struct {
	stop context.CancelFunc
	left chan struct{} // closed when it has ended
}

// A store is what outlives a broker.
type store struct {
	inner interface {
		longwire.Broker
		longwire.Forgetter
		Keeps(channel string) bool
	}
	partitions int
	class      longwire.Class // the last
	epochs     []epoch        // the last one is now
	unclean    bool
}

type epoch struct {
	number uint32
	ends   []uint64 // of each partition; nil: it goes on
}

func openLasting(t *testing.T, o brokertest.Options, bend faults) *lasting {
	mo := longwire.MemoryOptions{Classes: slices.Clone(o.Classes), Partitions: o.Partitions, KeyWindow: o.KeyWindow}
	if bend.options != nil {
		bend.options(&mo)
	}
	b := longwire.NewMemory(&mo)
	t.Cleanup(func() { b.Close(context.Background()) })
	s := &store{partitions: len(o.Classes) * o.Partitions, class: o.Classes[len(o.Classes)-1], epochs: []epoch{{number: 7}}}
	s.inner = b.(interface {
		longwire.Broker
		longwire.Forgetter
		Keeps(channel string) bool
	})
	return s.open(bend)
}

func (s *store) open(bend faults) *lasting {
	b := &lasting{store: s, bend: bend, feeds: map[*broken]bool{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if s.unclean {
		now := &s.epochs[len(s.epochs)-1]
		for _, f := range s.begins() {
			now.ends = append(now.ends, f.Last)
		}
		if bend.crashed != nil {
			bend.crashed(now)
		}
		s.epochs = append(s.epochs, epoch{number: now.number + 1})
	}
	s.unclean = true
	return b
}

// begins returns where each partition is.
func (s *store) begins() []longwire.Feed {
	list := make([]longwire.Feed, s.partitions)
	ctx, cancel := context.WithCancel(context.Background())
	left := s.partitions
	s.inner.Follow(ctx, func(f longwire.Feed) { // nobody publishes, so nothing else is told
		list[f.Partition] = f
		if left--; left == 0 {
			cancel()
		}
	})
	return list
}

// at returns a publication as it is told: with the epoch in which it was published.
func (s *store) at(p *longwire.Publication) *longwire.Publication {
	q := *p
	for _, e := range s.epochs {
		q.Epoch = e.number
		if e.ends != nil && p.Number <= e.ends[p.Partition] {
			break
		}
	}
	return &q
}

func (b *lasting) Partitions() int { return b.store.partitions }

func (b *lasting) Partition(channel string) int {
	if p, ok := b.store.inner.(longwire.Partitioned); ok {
		return p.Partition(channel)
	}
	return 0
}

func (b *lasting) Keeps(channel string) bool { return b.store.inner.Keeps(channel) }

func (b *lasting) Forget(ctx context.Context, channel string) error {
	return b.store.inner.Forget(ctx, channel)
}

var errClosed error = wire.Errorf(wire.CodeUnavailable, "closed")

func (b *lasting) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

func (b *lasting) Publish(p *longwire.Publication, done func(*longwire.Publication, error)) {
	b.mu.Lock()
	closed := b.closed
	if !closed {
		b.under.Add(1)
	}
	b.mu.Unlock()
	if closed {
		b.refuse(func() { done(nil, cmp.Or(b.bend.closed, errClosed)) })
		return
	}
	if b.bend.publish != nil {
		done = b.bend.publish(p, done)
	}
	b.store.inner.Publish(p, func(p *longwire.Publication, err error) {
		defer b.under.Done()
		if p != nil {
			p = b.store.at(p)
		}
		done(p, err)
	})
}

func (b *lasting) Read(ctx context.Context, r *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	if b.isClosed() {
		return func(yield func(*longwire.Publication, error) bool) { yield(nil, errClosed) }
	}
	asked, inner := *r, *r
	if r.Epoch != 0 {
		inner.Epoch = b.inner(r)
	}
	seq := b.store.inner.Read(ctx, &inner)
	if b.bend.read != nil {
		seq = b.bend.read(b, &asked, seq)
	}
	return func(yield func(*longwire.Publication, error) bool) {
		for p, err := range seq {
			if p != nil {
				p = b.store.at(p)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// inner returns the epoch of the broker in memory, or another if a position is not good.
func (b *lasting) inner(r *longwire.Range) uint32 {
	own := b.store.begins()[r.Partition].Epoch
	for _, e := range b.store.epochs {
		if e.number == r.Epoch && (e.ends == nil || r.After <= e.ends[r.Partition]) {
			return own
		}
	}
	return own ^ 1<<30
}

// Follow follows, and again after it was interrupted: then it reads what it missed.
func (b *lasting) Follow(ctx context.Context, sink func(longwire.Feed)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	if b.isClosed() {
		return nil
	}
	last, begun := make([]uint64, b.store.partitions), make([]bool, b.store.partitions)
	for ctx.Err() == nil {
		feed, stop := context.WithCancel(ctx)
		x := &broken{stop, make(chan struct{})}
		b.mu.Lock()
		b.feeds[x] = true
		b.mu.Unlock()
		b.store.inner.Follow(feed, func(f longwire.Feed) {
			switch i := f.Partition; {
			case !begun[i]:
				begun[i] = true
				f.Earlier = b.earlier(i)
			case len(f.Publications) == 0 && f.Last == last[i]:
				return
			case len(f.Publications) == 0:
				f.Publications = b.missed(i, last[i], f.Last)
			}
			last[f.Partition] = f.Last
			f.Epoch = b.store.epochs[len(b.store.epochs)-1].number
			for i, p := range f.Publications {
				if i == 0 {
					f.Publications = slices.Clone(f.Publications)
				}
				f.Publications[i] = b.store.at(p)
			}
			if b.bend.feed != nil {
				b.bend.feed(&f)
			}
			sink(f)
		})
		stop()
		close(x.left)
		b.mu.Lock()
		delete(b.feeds, x)
		b.mu.Unlock()
		if ctx.Err() == nil {
			time.Sleep(time.Millisecond) // it takes a while to connect again; in virtual time
		}
	}
	return nil
}

func (b *lasting) earlier(partition int) (list []longwire.EpochEnd) {
	for _, e := range b.store.epochs {
		if e.ends != nil {
			list = append(list, longwire.EpochEnd{Epoch: e.number, Last: e.ends[partition]})
		}
	}
	return list
}

func (b *lasting) missed(partition int, after, upTo uint64) (ps []*longwire.Publication) {
	if b.bend.missed != nil {
		after = b.bend.missed(after)
	}
	r := longwire.Range{Partition: partition, Channels: []string{">"}, After: after}
	for p, err := range b.store.inner.Read(context.Background(), &r) {
		if err == nil && p.Number <= upTo {
			ps = append(ps, p)
		}
	}
	return ps
}

// interrupt breaks all feeds.
func (b *lasting) interrupt() {
	b.mu.Lock()
	feeds := slices.Collect(maps.Keys(b.feeds))
	b.mu.Unlock()
	for _, x := range feeds {
		x.stop()
		<-x.left
	}
}

func (b *lasting) Close(context.Context) error {
	b.end()
	b.store.unclean = b.bend.forgets
	return nil
}

func (b *lasting) end() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.under.Wait()
	for refused := b.refusals(); len(refused) > 0; refused = b.refusals() {
		for _, tell := range refused {
			tell()
		}
	}
	b.cancel()
}

// refuse tells that the broker is closed, in its turn.
func (b *lasting) refuse(tell func()) {
	b.mu.Lock()
	over := b.over
	if !over {
		b.refused = append(b.refused, tell)
	}
	b.mu.Unlock()
	if over {
		tell()
	}
}

func (b *lasting) refusals() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	refused := b.refused
	b.refused, b.over = nil, len(refused) == 0
	return refused
}

// lastingMaker makes brokers with faults, or none.
func lastingMaker(bend faults) brokertest.Maker {
	return brokertest.Maker{
		Virtual: true,
		Open:    func(t *testing.T, o brokertest.Options) longwire.Broker { return openLasting(t, o, bend) },
		Reopen:  func(_ *testing.T, b longwire.Broker) longwire.Broker { return b.(*lasting).store.open(bend) },
		Kill:    func(_ *testing.T, b longwire.Broker) { b.(*lasting).end() },
		Interrupt: func(_ *testing.T, b longwire.Broker) {
			b.(*lasting).interrupt()
		},
	}
}

func TestLasting(t *testing.T) { brokertest.Run(t, lastingMaker(faults{})) }
