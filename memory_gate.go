package longwire

import "sync"

// A memGate is between the partitions of a broker and one follower. A follower hears
// first where each partition begins, and partitions do not wait for each other: so what
// they tell before all have begun is held, in its order, and then told by whoever
// follows; the publishers are not kept for that. What is held counts as waiting in
// its partition, so it has the bound of that.
type memGate struct {
	sink  func(Feed)    // immutable
	began chan struct{} // closed when all have begun

	mu sync.Mutex
	// Guarded by mu.
	left   int // partitions that have not begun
	begins []Feed
	held   []memHeld
	opened bool // nothing is held any more
}

// A memHeld is what a partition told.
type memHeld struct {
	m *memory
	f Feed
}

func newMemGate(sink func(Feed), partitions int) *memGate {
	return &memGate{sink: sink, began: make(chan struct{}), left: partitions}
}

// hear hears a partition.
func (g *memGate) hear(m *memory, f Feed) {
	g.mu.Lock()
	opened := g.opened
	switch {
	case opened:
	case len(f.Publications) > 0:
		m.hold(f.Publications, 1)
		g.held = append(g.held, memHeld{m, f})
	default:
		g.begins = append(g.begins, f)
		if g.left--; g.left == 0 {
			close(g.began)
		}
	}
	g.mu.Unlock()
	if opened {
		g.sink(f)
	}
}

// open waits until all partitions have begun, tells that, and what was held until there
// is no more.
func (g *memGate) open() {
	<-g.began
	for _, f := range g.begins { // nobody adds to them any more
		g.sink(f)
	}
	for held := g.take(); len(held) > 0; held = g.take() {
		for _, h := range held {
			g.sink(h.f)
			h.m.hold(h.f.Publications, -1)
		}
	}
}

// take takes what is held. If that is nothing the gate is open.
func (g *memGate) take() []memHeld {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := g.held
	g.held, g.opened = nil, len(held) == 0
	return held
}

// hold counts what a gate holds: sign is 1 when it does, -1 when it does not any more.
func (m *memory) hold(ps []*Publication, sign int) {
	var bytes int64
	for _, p := range ps {
		bytes += memCost(p)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.feed.held.n += sign * len(ps)
	m.feed.held.bytes += int64(sign) * bytes
}
