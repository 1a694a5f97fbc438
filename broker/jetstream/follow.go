package jetstream

import (
	"context"
	"slices"

	"github.com/longwire/longwire"
)

// A follower hears of everything. It comes and goes by the teller, so its place in the order is
// exact.
type follower struct {
	sink func(longwire.Feed)
	from []uint64 // where it may begin, in each partition
}

// Follow tells sink of all publications from now on.
func (b *Broker) Follow(ctx context.Context, sink func(longwire.Feed)) error {
	f := &follower{sink: sink}
	if !b.post(func() { b.join(f) }) {
		return nil
	}
	select {
	case <-ctx.Done():
	case <-b.told:
		return nil
	}
	left := make(chan struct{})
	if b.post(func() {
		is := func(o *follower) bool { return o == f }
		b.followers, b.joining = slices.DeleteFunc(b.followers, is), slices.DeleteFunc(b.joining, is)
		close(left)
	}) {
		<-left
	} else {
		<-b.told
	}
	return nil
}

// join has a follower begin behind all that publishers were told of already. With a cluster feeds
// may not have brought that yet.
func (b *Broker) join(f *follower) {
	for _, p := range b.parts {
		n := p.last
		if b.cluster != nil {
			n = p.acked
		}
		f.from = append(f.from, n)
	}
	b.joining = append(b.joining, f)
}

// joinReady lets those begin for whom it is time.
func (b *Broker) joinReady() {
	b.joining = slices.DeleteFunc(b.joining, func(f *follower) bool {
		for i, p := range b.parts {
			if p.last < min(f.from[i], p.acked) { // after a loss, what was acknowledged may be less
				return false
			}
		}
		for _, p := range b.parts {
			b.beginFor(f, p)
		}
		b.followers = append(b.followers, f)
		return true
	})
}

func (b *Broker) beginFor(f *follower, p *part) {
	f.sink(longwire.Feed{Partition: p.index, Epoch: b.era.epoch(), Last: p.last, Earlier: b.era.earlier(p.index)})
}
