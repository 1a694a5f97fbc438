package longwire_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/longwire/longwire"
)

// A modelBroker is a memory broker that is late: what it tells the node, what it
// acknowledges and what is read comes after a while, and now and then reading fails.
type modelBroker struct {
	longwire.Broker
	log  *modelLog
	late func(most time.Duration) time.Duration // a time to wait; zero mostly
	fail func() bool                            // whether a read fails

	mu sync.Mutex
	// Guarded by mu.
	acks    []func()
	waking  chan struct{}
	closing bool
	done    sync.WaitGroup
}

func newModelBroker(o *longwire.MemoryOptions, late func(time.Duration) time.Duration, fail func() bool) *modelBroker {
	b := &modelBroker{Broker: longwire.NewMemory(o), log: newModelLog(), late: late, fail: fail, waking: make(chan struct{}, 1)}
	b.done.Go(b.acknowledge)
	return b
}

func (b *modelBroker) Publish(p *longwire.Publication, done func(*longwire.Publication, error)) {
	b.Broker.Publish(p, func(q *longwire.Publication, err error) {
		if q != nil {
			b.log.note(q)
		}
		b.mu.Lock()
		b.acks = append(b.acks, func() { done(q, err) })
		b.mu.Unlock()
		b.wake()
	})
}

func (b *modelBroker) wake() {
	select {
	case b.waking <- struct{}{}:
	default:
	}
}

// acknowledge tells publishers, in order.
func (b *modelBroker) acknowledge() {
	for range b.waking {
		time.Sleep(b.late(20 * time.Millisecond))
		b.mu.Lock()
		acks, closing := b.acks, b.closing
		b.acks = nil
		b.mu.Unlock()
		for _, done := range acks {
			done()
		}
		if closing {
			return
		}
	}
}

// Follow passes on what the broker tells, later and in larger pieces.
func (b *modelBroker) Follow(ctx context.Context, sink func(longwire.Feed)) error {
	var mu sync.Mutex
	var waits []longwire.Feed
	waking := make(chan struct{}, 1)
	var tell sync.WaitGroup
	tell.Go(func() {
		for range waking {
			time.Sleep(b.late(30 * time.Millisecond))
			mu.Lock()
			feeds := waits
			waits = nil
			mu.Unlock()
			if len(feeds) == 0 {
				continue
			}
			one := feeds[len(feeds)-1]
			one.Publications, one.Forgotten = nil, nil
			for _, f := range feeds {
				one.Publications = append(one.Publications, f.Publications...)
				one.Forgotten = append(one.Forgotten, f.Forgotten...)
			}
			if ctx.Err() == nil {
				sink(one)
			}
			b.log.mu.Lock()
			b.log.fed = one.Last
			b.log.mu.Unlock()
		}
	})
	first := true
	err := b.Broker.Follow(ctx, func(f longwire.Feed) {
		for _, p := range f.Publications {
			b.log.note(p)
		}
		if first { // it says where the feed begins, and has to be told alone
			first = false
			b.log.mu.Lock()
			b.log.epoch, b.log.fed = f.Epoch, f.Last
			b.log.mu.Unlock()
			sink(f)
			return
		}
		mu.Lock()
		waits = append(waits, f)
		mu.Unlock()
		select {
		case waking <- struct{}{}:
		default:
		}
	})
	close(waking)
	tell.Wait()
	return err
}

var errModelRead = errors.New("the model has this read fail")

func (b *modelBroker) Read(ctx context.Context, r *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	time.Sleep(b.late(50 * time.Millisecond))
	return func(yield func(*longwire.Publication, error) bool) {
		for p, err := range b.Broker.Read(ctx, r) {
			if p != nil {
				b.log.note(p)
			}
			if b.fail() {
				yield(nil, errModelRead)
				return
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

func (b *modelBroker) Forget(ctx context.Context, channel string) error {
	return b.Broker.(longwire.Forgetter).Forget(ctx, channel)
}

func (b *modelBroker) Keeps(channel string) bool {
	return b.Broker.(interface{ Keeps(string) bool }).Keeps(channel)
}

func (b *modelBroker) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closing = true
	b.mu.Unlock()
	b.wake()
	b.done.Wait()
	return b.Broker.Close(ctx)
}

// within reports whether a position is within the history of a name.
func (b *modelBroker) within(name string, at modelPosition) bool {
	r := &longwire.Range{Channels: []string{name}, Epoch: at.epoch, After: at.number, Taken: time.Unix(at.second, 0), Limit: 1}
	for _, err := range b.Broker.Read(context.Background(), r) {
		if _, gap := errors.AsType[*longwire.GapError](err); gap {
			return false
		}
	}
	return true
}

// kept returns the numbers of what is kept of a name, above after and up to upTo.
func (b *modelBroker) kept(name string, after, upTo uint64) (list []uint64) {
	for p, err := range b.Broker.Read(context.Background(), &longwire.Range{Channels: []string{name}}) {
		if err == nil && p.Number > after && p.Number <= upTo {
			list = append(list, p.Number)
		}
	}
	return list
}
