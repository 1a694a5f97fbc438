package longwire

import (
	"sync"
)

// The recent window is the last publications of a node, as events, so with
// the frames that were made of them. Those who fell behind a little, or come back
// soon, are served from it on their loop, without the broker and without another
// goroutine; and who catches up passes through it into being live, because the
// loop sees in it all that it may have passed by.
type recent struct {
	most int // events; immutable after New

	mu sync.RWMutex
	// Guarded by mu.
	ring  []*event // event n is at n % len(ring); its length is a power of two
	first uint64   // the oldest number in it
	last  uint64   // the newest; first is last+1 while there is none
	bytes int
	base  *marks // before the oldest; nil with one partition
}

const (
	recentBytes = 64 << 20 // of events: data three times, for the frames, and eventBytes each
	eventBytes  = 512
)

func (e *event) cost() int { return cost(e.p) }

func cost(p *Publication) int { return 3*len(p.Data) + eventBytes }

// begin empties the window, which goes on behind a number.
func (r *recent) begin(last uint64, base *marks) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring, r.first, r.last, r.bytes, r.base = make([]*event, 64), last+1, last, 0, base
}

// add adds the next event. A hole empties the window: what is before it is not
// contiguous with what follows.
func (r *recent) add(e *event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.number != r.last+1 {
		clear(r.ring)
		r.first, r.bytes = e.number, 0
	}
	r.last = e.number
	if n := r.last - r.first; n >= uint64(len(r.ring)) {
		r.grow()
	}
	*r.slot(r.last) = e
	for r.bytes += e.cost(); r.first < r.last && (r.bytes > recentBytes || r.last-r.first >= uint64(r.most)); r.first++ {
		old := r.slot(r.first)
		r.bytes -= (*old).cost()
		r.base = (*old).marks
		*old = nil
	}
}

// prepend puts events before those that are in the window, the last of them right before
// the first there is. It takes as many of the last as there is room for, and reports
// whether that was all.
func (r *recent) prepend(events []*event) (all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(events) - 1; i >= 0; i-- {
		e := events[i]
		if e.number != r.first-1 || r.bytes+e.cost() > recentBytes || r.last-r.first+2 > uint64(r.most) {
			return false
		}
		if r.last-r.first+1 >= uint64(len(r.ring)) {
			r.grow()
		}
		r.first--
		*r.slot(r.first) = e
		r.bytes += e.cost()
		if e.marks != nil {
			base := *e.marks
			base[e.p.Partition]--
			r.base = &base
		}
	}
	return true
}

// begins returns the number of the oldest event in the window, and the marks before it.
func (r *recent) begins() (first uint64, base *marks) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.first, r.base
}

// forget empties the window. What a channel was told to forget must not be had
// from here either; all else is read from the broker for once.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.base = r.marks(r.last)
	clear(r.ring)
	r.first, r.bytes = r.last+1, 0
}

func (r *recent) slot(n uint64) **event { return &r.ring[n&uint64(len(r.ring)-1)] }

// grow makes room for twice as many. The ring is full.
func (r *recent) grow() {
	old := r.ring
	r.ring = make([]*event, 2*len(old))
	for i := range uint64(len(old)) {
		n := r.first + i
		*r.slot(n) = old[n&uint64(len(old)-1)]
	}
}

// holds reports whether all events after number n are in the window.
func (r *recent) holds(n uint64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return n+1 >= r.first
}

// after appends the events with numbers above n, in order, as many as there is
// room for in dst. It returns false if some of them are not in the window any more.
func (r *recent) after(dst []*event, n uint64) ([]*event, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if n+1 < r.first {
		return dst, false
	}
	for n++; n <= r.last && len(dst) < cap(dst); n++ {
		dst = append(dst, *r.slot(n))
	}
	return dst, true
}
