package longwire

import (
	"slices"
	"sort"
)

// Several partitions. Each numbers its publications by itself, so where somebody stands is a
// number for each: marks. On a node all of them are put into one order, in which the feed heard of
// them, and everything in this package that is called a number is a place in that order: with one
// partition it is the publication's number itself. What a loop hands out is in that order, so all
// who are live stand at the same marks, and share the frames that tell them.
//
// Another node, or this one after a restart, has another order. So whoever comes back with marks may
// be ahead in one partition of where it is behind in another: while it catches up its place is its
// marks, and only once it is live a number.

// marks are a number for each partition: everything up to it.
type marks [MaxPartitions]uint64

// raise raises marks to at least those of o.
func (m *marks) raise(o *marks) {
	for i, n := range o {
		m[i] = max(m[i], n)
	}
}

// lower lowers those of some partitions to at most those of o.
func (m *marks) lower(o *marks, in span) {
	for i := in.from; i < in.to; i++ {
		m[i] = min(m[i], o[i])
	}
}

// covers reports whether those of some partitions are at least those of o.
func (m *marks) covers(o *marks, in span) bool {
	for i := in.from; i < in.to; i++ {
		if m[i] < o[i] {
			return false
		}
	}
	return true
}

// A span is some partitions: from one to before another.
type span struct{ from, to int }

// several reports whether the broker has more than one partition.
func (n *Node) several() bool { return n.parts > 1 }

// spanOf returns where publications of a channel, or of all that match a pattern, live.
func (n *Node) spanOf(name string) span {
	if n.parts == 1 || isPattern(name) {
		return span{0, n.parts}
	}
	p := n.broker.(Partitioned).Partition(name)
	return span{p, p + 1}
}

// A frontier is a place in the node's order with its marks.
type frontier struct {
	number uint64
	marks  *marks
}

// stand says that all up to a place is with the hubs concerned.
func (n *Node) stand(number uint64, m *marks) {
	n.front.Store(&frontier{number, new(*m)})
	n.posted.Store(number)
}

// frontier returns the place up to which all is with the hubs concerned.
func (n *Node) frontier() frontier {
	if n.several() {
		return *n.front.Load()
	}
	return frontier{number: n.posted.Load()}
}

// marksAt returns the marks of a place in the order, as far as the hub's sessions are concerned. What it
// is yet to hand out may not be in the recent window any more.
func (h *hub) marksAt(number uint64) *marks {
	if number == h.horizon {
		return h.marks
	}
	i := sort.Search(len(h.batch), func(i int) bool { return h.batch[i].number > number })
	if i < len(h.batch) {
		return h.batch[i].e.marksBefore()
	}
	if m := h.node.recent.marksAt(number); m != nil {
		return m
	}
	return h.marks // further back than where somebody stands who has just begun: nothing is missed
}

// marksBefore returns the marks of somebody who has all before an event.
func (e *event) marksBefore() *marks {
	m := *e.marks
	if !e.loose() {
		m[e.p.Partition] = e.p.Number - 1
	}
	return &m
}

// marksAt returns the marks of a place in the node's order, nil if the window does not reach back to it.
func (r *recent) marksAt(number uint64) *marks {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if number+1 < r.first {
		return nil
	}
	return r.marks(number)
}

// newest returns the marks behind everything.
func (r *recent) newest() *marks {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.marks(r.last)
}

// marks returns those of a place that the window reaches back to. With mu held.
func (r *recent) marks(number uint64) *marks {
	if number < r.first || r.first > r.last {
		return r.base
	}
	return (*r.slot(min(number, r.last))).marks
}

// find returns the last place in the order up to which there is nothing beyond marks. It returns false
// if something behind them is not in the window any more.
func (r *recent) find(m *marks, in span) (number uint64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !m.covers(r.base, in) {
		return 0, false
	}
	i := sort.Search(int(r.last-r.first+1), func(i int) bool { return !m.covers(r.marks(r.first+uint64(i)), in) })
	return r.first + uint64(i) - 1, true
}

// spot returns the marks at which a subscription that catches up stands.
func (c *catching) spot(t *sub) *marks { return c.spots[t] }

// put puts a subscription that catches up at marks, which are its own from then on.
func (c *catching) put(t *sub, m marks) {
	if c.spots == nil {
		c.spots = map[*sub]*marks{}
	}
	c.spots[t] = &m
}

// marksOf returns the marks at which a session stands: those of its place among all that are live, and
// for each partition that of the subscription that is furthest behind.
func (s *Session) marksOf(number uint64) marks {
	n := s.node
	m := *s.hub.marksAt(number)
	if s.more.catching() == 0 {
		return m
	}
	c := &s.more.catch
	if c.n == len(s.subs) { // what no subscription concerns does not hold it back
		m = *n.recent.newest()
	}
	for _, t := range s.subs {
		if t.catches() {
			m.lower(c.spots[t], n.spanOf(t.name()))
		}
	}
	return m
}

// aheadOfNode reports whether a peer has been told by another node, or read, what this one has not heard
// of. It would get that again if it was live.
func (s *Session) aheadOfNode() bool {
	n := s.node
	if !n.several() {
		return false // numbers are the publications' own: what is heard later is passed over
	}
	newest := n.recent.newest()
	for _, t := range s.subs {
		if t.catches() && !newest.covers(s.more.catch.spot(t), n.spanOf(t.name())) {
			return true
		}
	}
	return false
}

// chooseRead says in r what to read: of one partition in which some are further behind than the node's order
// reaches back, for all whom it concerns. The others take no part.
func (s *Session) chooseRead(r *Range) {
	n, c := s.node, &s.more.catch
	_, base := n.recent.begins()
	concerned := func(t *sub) bool {
		in := n.spanOf(t.name())
		return t.catches() && r.Partition >= in.from && r.Partition < in.to
	}
	behind := func(t *sub) bool { return concerned(t) && c.spot(t)[r.Partition] < base[r.Partition] }
	for r.Partition < n.parts-1 && !slices.ContainsFunc(s.subs, behind) {
		r.Partition++
	}
	r.After = noNumber
	for _, t := range s.subs {
		if t.flags &^= subReading; concerned(t) {
			t.flags |= subReading
			r.Channels = append(r.Channels, t.name())
			r.After = min(r.After, c.spot(t)[r.Partition])
		}
	}
}

// catchingMessage returns an event as one that catches up gets it: where its subscription, and its
// session, stand with it is not what others who are live would be told.
func (s *Session) catchingMessage(t *sub, e *event) *Message {
	n := s.node
	var m marks
	together := s.flags&sToken != 0 && s.togetherAt(e)
	if together {
		m = s.marksOf(s.stand())
	} else {
		m = *s.more.catch.spot(t)
	}
	e.raise(&m)
	at, whole := formatMarks(n.epoch.Load(), &m, n.parts, e.p.Time), Position("")
	if together {
		whole = at
	}
	sub := ""
	if t.list.topic.pattern() {
		sub = t.name()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.frameAt(sub, at, whole)
}

// raise raises marks to where somebody stands who has an event, and all that was read before it.
func (e *event) raise(m *marks) {
	if e.marks != nil {
		m.raise(e.marks)
	}
	m[e.p.Partition] = max(m[e.p.Partition], e.p.Number)
}

// togetherAt reports whether all of a session's subscriptions that an event's partition concerns have
// what is before it.
func (s *Session) togetherAt(e *event) bool {
	for _, t := range s.subs {
		in := s.node.spanOf(t.name())
		if e.p.Partition < in.from || e.p.Partition >= in.to {
			continue
		}
		if !t.catches() || !t.reads() && s.more.catch.spot(t)[e.p.Partition] < e.p.Number {
			return false
		}
	}
	return true
}
