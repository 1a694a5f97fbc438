package longwire

import (
	"context"
	"slices"
)

// A memFeed tells publishers and followers what happened, in order and without a
// lock. Publishers put it into a queue under the broker's lock. Whoever finds
// nobody draining drains: takes what waits, unlocks, calls, and looks again. So there
// is no goroutine where there is little to do, and what comes faster than it is told goes in batches.
//
// Who publishes may be an event loop with more to do: after memTurn it hands
// over to a goroutine, which goes on for as long as something waits. Close waits for
// it.
type memFeed struct {
	// Guarded by the broker's lock.
	queue    []memItem
	waiting  memLoad // of queue and batch
	held     memLoad // by gates
	draining bool
	rest     chan struct{} // closed when nobody drains; nil while no Close waits

	// Owned by whoever drains. Nothing is lost if a callback panics: it is known
	// how far that came, and a goroutine goes on.
	epoch     uint32
	partition int
	last      uint64 // number of the last that followers were told of
	followers []*memFollower
	batch     []memItem
	taken     memLoad        // batch's
	next      int            // in batch: whose publisher is told next
	end       int            // in batch: of the piece that followers hear of
	told      []*Publication // what followers are to hear
	forgotten []string       // and after it
	turn      int            // who of them
}

// A memLoad is what publications take in the feed.
type memLoad struct {
	n     int
	bytes int64
}

const (
	// memTurn is how many a publisher tells before a goroutine goes on, and how many
	// a follower hears at once: some 0.1 ms of work.
	memTurn = 256

	// What may wait to be told; both are far beyond what followers that do not block
	// ever leave.
	maxMemWaiting = 1 << 16
	maxMemBytes   = 256 << 20

	// memBatch is how large a queue may grow and be kept to be used again.
	memBatch = 4 * memTurn
)

// A memItem is what is to be told: the outcome of a Publish or Forget, or that
// somebody comes or goes.
type memItem struct {
	p      *Publication
	done   func(*Publication, error)
	err    error
	fresh  bool   // followers hear of p
	forgot string // they hear that this channel was forgotten
	do     func()
}

type memFollower struct {
	sink func(Feed)
}

// full reports whether too much waits. With the lock held.
func (f *memFeed) full() bool {
	return f.waiting.n+f.held.n >= maxMemWaiting || f.waiting.bytes+f.held.bytes >= maxMemBytes
}

// add puts something into the queue. If it returns true the caller is to drain.
// With the lock held.
func (f *memFeed) add(it memItem) bool {
	f.queue = append(f.queue, it)
	if it.fresh {
		f.waiting.n++
		f.waiting.bytes += memCost(it.p)
	}
	first := !f.draining
	f.draining = true
	return first
}

// idle returns what is closed when nobody drains. With the lock held.
func (f *memFeed) idle() <-chan struct{} {
	if !f.draining {
		c := make(chan struct{})
		close(c)
		return c
	}
	if f.rest == nil {
		f.rest = make(chan struct{})
	}
	return f.rest
}

// drain tells what waits; about so many, if that is not zero, then a goroutine goes on.
func (m *memory) drain(most int) {
	over := false
	defer func() {
		if !over { // a callback panicked
			go m.drain(0)
		}
	}()
	for n := 0; m.feed.left() || m.refill(); n += m.feed.tell() {
		if most != 0 && n >= most {
			go m.drain(0)
			break
		}
	}
	over = true
}

// left reports whether something of the batch is still to be told.
func (f *memFeed) left() bool { return f.next < len(f.batch) }

// refill takes what waits. If that is nothing, the caller drains no more.
func (m *memory) refill() bool {
	f := &m.feed
	clear(f.batch)
	if cap(f.batch) > memBatch {
		f.batch = nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f.waiting.n -= f.taken.n
	f.waiting.bytes -= f.taken.bytes
	f.taken = f.waiting
	f.batch, f.queue, f.next, f.end = f.queue, f.batch[:0], 0, 0
	if len(f.batch) > 0 {
		return true
	}
	f.draining = false
	if f.rest != nil {
		close(f.rest)
		f.rest = nil
	}
	return false
}

// tell tells the next piece of the batch: followers first, so that whoever was told
// that something is published finds that this node knows it. It returns how much
// that was.
func (f *memFeed) tell() int {
	from := f.next
	if f.next == f.end {
		if do := f.batch[f.next].do; do != nil {
			f.next, f.end = f.next+1, f.end+1
			do()
			return 1
		}
		f.gather()
	}
	f.spread()
	for f.next < f.end {
		it := &f.batch[f.next]
		f.next++
		it.done(it.p, it.err)
	}
	return f.next - from
}

// gather finds the end of the next piece, and what followers are to hear of it: those
// come and go between pieces. What is published behind what was forgotten is of the
// next. The slices are theirs.
func (f *memFeed) gather() {
	most := min(memTurn, len(f.batch)-f.next)
	for f.end < f.next+most && f.batch[f.end].do == nil {
		it := &f.batch[f.end]
		if it.forgot != "" {
			f.forgotten = append(f.forgotten, it.forgot)
		} else if f.forgotten != nil {
			break
		}
		if it.fresh {
			f.last = max(f.last, it.p.Number)
			if f.told == nil && len(f.followers) > 0 {
				f.told = make([]*Publication, 0, most)
			}
			if f.told != nil {
				f.told = append(f.told, it.p)
			}
		}
		f.end++
	}
}

// spread tells followers.
func (f *memFeed) spread() {
	if len(f.told) == 0 && f.forgotten == nil {
		return
	}
	for f.turn < len(f.followers) {
		f.turn++
		f.followers[f.turn-1].sink(Feed{Partition: f.partition, Epoch: f.epoch, Last: f.last, Publications: f.told, Forgotten: f.forgotten})
	}
	f.turn, f.told, f.forgotten = 0, nil, nil
}

// Follow comes and goes by the queue, so its place in the order is exact. It
// returns when the sink is not called any more.
func (m *memory) Follow(ctx context.Context, sink func(Feed)) error {
	if m.isClosed() {
		return nil
	}
	f := &memFollower{sink}
	m.do(func() { m.feed.join(f) })
	select {
	case <-ctx.Done():
	case <-m.closed:
	}
	left := make(chan struct{})
	m.do(func() {
		m.feed.leave(f)
		close(left)
	})
	<-left
	return nil
}

// do calls fn in its place between publications.
func (m *memory) do(fn func()) {
	m.mu.Lock()
	drain := m.feed.add(memItem{do: fn})
	m.mu.Unlock()
	if drain {
		m.drain(memTurn)
	}
}

func (f *memFeed) join(n *memFollower) {
	n.sink(Feed{Partition: f.partition, Epoch: f.epoch, Last: f.last})
	f.followers = append(f.followers, n)
}

func (f *memFeed) leave(n *memFollower) {
	f.followers = slices.DeleteFunc(f.followers, func(o *memFollower) bool { return o == n })
}
