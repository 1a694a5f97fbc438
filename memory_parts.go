package longwire

import (
	"context"
	"iter"
	"sync"

	"github.com/longwire/longwire/wire"
)

// A memParts is a memory broker of several partitions: a [memory] for each, which know
// nothing of each other. So what is published to two of them has no order and no lock in
// common. Only followers see them together, through a [memGate].
type memParts struct {
	// Immutable.
	layout *Layout
	parts  []*memory
	closed chan struct{} // closed by the first Close

	closing sync.Once
}

var errMemPartition = wire.Errorf(wire.CodeBadRequest, "the broker has no such partition; they are numbered from 0")

// newMemParts returns a broker of what the options tell: a single [memory] if that is all.
func newMemParts(o *MemoryOptions, epoch uint32) Broker {
	classes := o.Classes
	if len(classes) == 0 {
		classes = []Class{{Name: "default", Count: o.Count, Age: o.Age, Bytes: o.Bytes, Behind: o.Behind}}
	}
	each := o.Partitions
	if each == 0 {
		each = 1
	}
	layout, err := NewLayout(classes, each)
	if err != nil {
		return memRefused{err}
	}
	b := &memParts{layout: layout, closed: make(chan struct{})}
	for i := range layout.Partitions() {
		c := layout.Class(i)
		opts := MemoryOptions{Count: c.Count, Age: c.Age, Bytes: c.Bytes, KeyWindow: o.KeyWindow, Behind: c.Behind}
		b.parts = append(b.parts, newMemory(opts.filled(), epoch, i))
	}
	if len(b.parts) == 1 {
		return b.parts[0]
	}
	return b
}

// Partitions returns how many there are.
func (b *memParts) Partitions() int { return len(b.parts) }

// Partition returns where a channel lives.
func (b *memParts) Partition(channel string) int { return b.layout.Partition(channel) }

func (b *memParts) part(channel string) *memory { return b.parts[b.Partition(channel)] }

// Publish publishes where the channel lives.
func (b *memParts) Publish(p *Publication, done func(*Publication, error)) {
	b.part(p.Channel).Publish(p, done)
}

// Read reads a partition.
func (b *memParts) Read(ctx context.Context, r *Range) iter.Seq2[*Publication, error] {
	if r.Partition < 0 || r.Partition >= len(b.parts) {
		return memFails(errMemPartition)
	}
	return b.parts[r.Partition].Read(ctx, r)
}

// Follow follows all partitions. Each tells by itself, once all have begun.
func (b *memParts) Follow(ctx context.Context, sink func(Feed)) error {
	select {
	case <-b.closed:
		return nil
	default:
	}
	g := newMemGate(sink, len(b.parts))
	followers := make([]*memFollower, len(b.parts))
	for i, m := range b.parts {
		f := &memFollower{func(f Feed) { g.hear(m, f) }}
		followers[i] = f
		m.do(func() { m.feed.join(f) })
	}
	g.open()
	select {
	case <-ctx.Done():
	case <-b.closed:
	}
	var left sync.WaitGroup
	for i, m := range b.parts {
		left.Add(1)
		m.do(func() {
			m.feed.leave(followers[i])
			left.Done()
		})
	}
	left.Wait()
	return nil
}

// Forget forgets what is kept of a channel.
func (b *memParts) Forget(ctx context.Context, channel string) error {
	return b.part(channel).Forget(ctx, channel)
}

// Keeps reports whether a channel has history, or whether some that match a pattern do.
func (b *memParts) Keeps(channel string) bool { return b.layout.Keeps(channel) }

// Behind returns the policy of a channel without history.
func (b *memParts) Behind(channel string) Policy { return b.layout.Behind(channel) }

// Close closes all partitions, also if one takes longer than ctx.
func (b *memParts) Close(ctx context.Context) error {
	errs := make([]error, len(b.parts))
	var wg sync.WaitGroup
	for i, m := range b.parts {
		wg.Go(func() { errs[i] = m.Close(ctx) })
	}
	wg.Wait()
	// Only now, so that followers have heard what was still taken.
	b.closing.Do(func() { close(b.closed) })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A memRefused is what options make that cannot be: it says so.
type memRefused struct{ err error }

// Publish refuses.
func (b memRefused) Publish(_ *Publication, done func(*Publication, error)) { done(nil, b.err) }

// Follow refuses.
func (b memRefused) Follow(context.Context, func(Feed)) error { return b.err }

// Read refuses.
func (b memRefused) Read(context.Context, *Range) iter.Seq2[*Publication, error] {
	return memFails(b.err)
}

// Forget refuses.
func (b memRefused) Forget(context.Context, string) error { return b.err }

// Close has nothing to do.
func (b memRefused) Close(context.Context) error { return nil }

// memFails is a read that fails.
func memFails(err error) iter.Seq2[*Publication, error] {
	return func(yield func(*Publication, error) bool) { yield(nil, err) }
}
