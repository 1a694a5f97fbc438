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
}

// Follow tells sink of all publications from now on.
func (b *Broker) Follow(ctx context.Context, sink func(longwire.Feed)) error {
	f := &follower{sink}
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
		b.followers = slices.DeleteFunc(b.followers, func(o *follower) bool { return o == f })
		close(left)
	}) {
		<-left
	} else {
		<-b.told
	}
	return nil
}

func (b *Broker) join(f *follower) {
	for _, p := range b.parts {
		b.beginFor(f, p)
	}
	b.followers = append(b.followers, f)
}

func (b *Broker) beginFor(f *follower, p *part) {
	f.sink(longwire.Feed{Partition: p.index, Epoch: b.era.epoch(), Last: p.last, Earlier: b.era.earlier(p.index)})
}
