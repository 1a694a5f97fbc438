package longwire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/longwire/longwire/wire"
)

// Placing: where a subscription begins that asks for all, for the last so many, for
// a time, or for a position that the recent window does not reach back to. History
// tells it; until then the session's later frames wait, so that the reply has its
// place in the order, and can say whether there is a gap.

// A placing is one look into history for a session.
type placing struct {
	s     *Session
	l     *line
	reads []firstRead
	found *foundPlaces
}

// foundPlaces are what history said of several subscriptions.
type foundPlaces struct {
	list []place
	err  error
}

// A place is what history said, of one partition or of several.
type place struct {
	after uint64
	gap   bool
	lost  losses   // what the gap tells of
	only  []uint64 // the numbers of the last so many of a pattern, which do not hang together
	upTo  uint64

	each []place // of each partition, if there are several
}

// in returns what was said of a partition.
func (f *place) in(part int) *place {
	if f.each != nil {
		return &f.each[part]
	}
	return f
}

func (s *Session) readFirst(time.Time) {
	n, c := s.node, &s.more.catch
	p := &placing{s: s, l: s.line, reads: slices.Clone(c.first)}
	share := c.share(n.opts.bounds.scattered)
	key := fmt.Appendf(nil, "place %d", share)
	for _, r := range p.reads {
		key = fmt.Appendf(key, " %s %v", r.name, r.from)
	}
	c.begin(n.desk.ask(s.hub.loop, string(key), &placeQuestion{n, p.reads, share}, func(found any) {
		p.found = found.(*foundPlaces)
		s.hub.loop.PostTask(p)
	}))
}

// share returns how many numbers each of those may hold whose place is to be told:
// what the others of the session leave of the most, in equal parts. One each there is
// always.
func (c *catching) share(most int) int {
	parts := 0
	for _, r := range c.first {
		if r.scattered() {
			parts++
		}
	}
	for _, f := range c.only {
		most -= len(f.only)
		for _, one := range f.each {
			most -= len(one.only)
		}
	}
	return max(1, most/max(1, parts))
}

// scattered reports whether what is to be read does not hang together: the last so many
// of each channel of a pattern.
func (r *firstRead) scattered() bool { return r.from.last > 0 && isPattern(r.name) }

// places looks for places. Not on a loop.
func (n *Node) places(ctx context.Context, reads []firstRead, share int) *foundPlaces {
	p, now := &foundPlaces{}, time.Now()
	for _, r := range reads {
		f, err := n.place(ctx, &r, now, share)
		if err != nil {
			p.err = err
			break
		}
		p.list = append(p.list, f)
	}
	return p
}

// place looks for one place. Of what is scattered the last count, as many as share is.
func (n *Node) place(ctx context.Context, first *firstRead, now time.Time, share int) (f place, err error) {
	if !n.several() {
		return n.placeIn(ctx, first, 0, now, share)
	}
	in := n.spanOf(first.name)
	f = n.placeAt(in.from, 0)
	for i := in.from; i < in.to && err == nil; i++ {
		f.each[i], err = n.placeIn(ctx, first, i, now, max(1, share/(in.to-in.from)))
		f.gap = f.gap || f.each[i].gap
	}
	return f, err
}

// placeAt returns a place at a number of a partition. What comes in others from now on is wanted.
func (n *Node) placeAt(part int, number uint64) (f place) {
	f.after, f.upTo = number, n.postedIn(part)
	if !n.several() {
		return f
	}
	each := make([]place, n.parts)
	for i := range each {
		each[i].after = n.postedIn(i)
	}
	each[part] = f
	return place{each: each}
}

// placeIn looks for the place in one partition.
func (n *Node) placeIn(ctx context.Context, first *firstRead, part int, now time.Time, share int) (f place, err error) {
	f.upTo = n.postedIn(part)
	name, from, scattered := first.name, first.from, first.scattered()
	r := &Range{Partition: part, Channels: []string{name}, Limit: 1}
	if from.fill(r, now, n.parts); from.told && !isPattern(name) {
		r.UpTo = r.After + 1 // all there is to know is whether there is a gap
	}
	if scattered {
		r.Limit = 0
	}
	var numbers []uint64
	for p, err := range n.broker.Read(ctx, r) {
		if g, ok := errors.AsType[*GapError](err); ok {
			f.gap, f.after, f.lost = true, g.After, lossesOf(g)
			return f, nil
		}
		if err != nil {
			return f, err
		}
		if numbers = append(numbers, p.Number); len(numbers) > 2*share {
			numbers = slices.Delete(numbers, 0, share)
		}
	}
	numbers = slices.Clone(numbers[max(0, len(numbers)-share):]) // it is kept, and should not be longer than that
	switch {
	case from.told:
		f.after = from.at.in(part, n.parts)
		if f.after == noNumber { // it says nothing of this partition
			f.gap, f.after = true, f.upTo
		}
		f.gap = f.gap || !n.keepsHistory(name)
	case len(numbers) == 0:
		f.after = f.upTo
	default:
		f.after = numbers[0] - 1
	}
	if isPattern(name) && !from.told {
		// What was lost before is not owed to who asks for what there is, even if
		// something older of another channel is kept.
		f.lost = n.lostAfter(ctx, name, part, f.after)
	}
	if scattered && len(numbers) > 0 {
		f.only, f.upTo = numbers, max(f.upTo, numbers[len(numbers)-1])
	}
	return f, nil
}

// lostAfter returns what is known to be lost after a number, zero if
// nothing is.
func (n *Node) lostAfter(ctx context.Context, name string, part int, number uint64) losses {
	r := &Range{Partition: part, Channels: []string{name}, Epoch: n.epoch.Load(), After: number, Taken: time.Now(), Limit: 1}
	for _, err := range n.broker.Read(ctx, r) {
		if g, ok := errors.AsType[*GapError](err); ok {
			return lossesOf(g)
		}
		break
	}
	return losses{}
}

// postedIn returns up to which number all of a partition is with the hubs concerned, and can be read.
func (n *Node) postedIn(part int) uint64 {
	if n.several() {
		return n.front.Load().marks[part]
	}
	return n.posted.Load()
}

// gapsIn returns the names for which a position is not within history.
func (n *Node) gapsIn(names []string, from since) (gaps []string) {
	if from = n.present(from); !from.told {
		return nil
	}
	for _, name := range names {
		if n.keepsHistory(name) && n.reaches(name, &from.at) {
			continue
		}
		if f, err := n.place(n.ctx, &firstRead{name: name, from: from}, time.Now(), 1); err == nil && f.gap {
			gaps = append(gaps, name)
		}
	}
	return gaps
}

// present returns a since whose position is of the present epoch, if it is of an earlier
// one and still good.
func (n *Node) present(from since) since {
	if !from.told || from.at.epoch == n.epoch.Load() {
		return from
	}
	says := false
	for i := range n.parts {
		number := from.at.in(i, n.parts)
		if number == noNumber && from.at.each == nil {
			continue // it says nothing of that partition
		}
		says = true
		if !slices.ContainsFunc(*n.earlier[i].Load(), func(e EpochEnd) bool { return e.Epoch == from.at.epoch && number <= e.Last }) {
			return from
		}
	}
	if !says { // it is of a partition that there is not
		return from
	}
	from.at.epoch = n.epoch.Load()
	return from
}

// reaches reports whether all that follows a position is in the recent window.
func (n *Node) reaches(name string, at *position) bool {
	if n.several() {
		_, ok := n.marksIn(name, at)
		return ok
	}
	number := at.in(0, n.parts)
	return at.epoch == n.epoch.Load() && number <= n.looking.Load() && n.recent.holds(number)
}

// marksIn returns the marks of a position, with several partitions, if all that follows it of a
// channel or pattern is in the recent window.
func (n *Node) marksIn(name string, at *position) (*marks, bool) {
	if at.epoch != n.epoch.Load() {
		return nil, false
	}
	m, in := *n.recent.newest(), n.spanOf(name)
	for i := in.from; i < in.to; i++ {
		number := at.in(i, n.parts)
		if number > m[i] {
			return nil, false
		}
		m[i] = number
	}
	_, ok := n.recent.find(&m, in)
	return &m, ok
}

// Run puts the subscriptions in their places.
func (p *placing) Run(now time.Time) {
	s := p.s
	s.more.catch.end()
	if s.line != p.l || s.line == nil {
		s.catchUp(now)
		return
	}
	if p.found.err != nil {
		s.node.cannotRead(now, p.found.err)
		s.retry(retryAfter)
		return
	}
	s.placed(now, p)
}

// placed replies, tells of gaps, and goes on with what follows.
func (s *Session) placed(now time.Time, p *placing) {
	c := &s.more.catch
	s.flags &^= sHeld
	c.first = nil
	var gaps []gap
	if p != nil {
		for i, r := range p.reads {
			if f := p.found.list[i]; r.sub.list != nil && r.sub.catches() {
				s.putIn(r.sub, &f)
				c.standsSince(r.from)
				if f.gap {
					gaps = append(gaps, gap{sub: r.sub, after: r.from.at.format(), position: s.placeOf(r.sub, now)})
				}
			}
		}
	}
	later := c.later
	if then := c.then; then != nil {
		c.then, c.greets, c.later = nil, false, nil
		then(now, gaps)
	}
	s.tellGaps(now, gaps)
	for _, f := range later {
		f(now)
	}
	s.catchUp(now)
	s.goOn(now)
}

// putIn puts a subscription in its place.
func (s *Session) putIn(t *sub, f *place) {
	c := &s.more.catch
	if f.only != nil || slices.ContainsFunc(f.each, func(f place) bool { return f.only != nil }) {
		if c.only == nil {
			c.only = map[*sub]place{}
		}
		c.only[t] = *f
	}
	if f.each == nil {
		t.after = f.after
		if f.lost.newest > 0 {
			c.knows(lossOf{t, 0}, f.lost)
		}
		return
	}
	var m marks
	for i := range f.each {
		if m[i] = f.each[i].after; f.each[i].lost.newest > 0 {
			c.knows(lossOf{t, i}, f.each[i].lost)
		}
	}
	c.put(t, m)
}

// wants reports whether one that catches up is to get a publication of its topic.
func (c *catching) wants(t *sub, p *Publication) bool {
	if c.standsIn(t, p.Partition) >= p.Number {
		return false
	}
	all, picked := c.only[t]
	if !picked {
		return true
	}
	f := all.in(p.Partition)
	if p.Number > f.upTo {
		return true
	}
	_, found := slices.BinarySearch(f.only, p.Number)
	return found
}

// asked returns the position from which the peer wants to go on, while history has
// yet to say what there is from there; empty if it did not say one.
func (s *Session) asked() Position {
	first := s.more.catch.first
	from, n := first[0].from, s.hub.had(s)
	for _, t := range s.subs {
		if i := slices.IndexFunc(first, func(f firstRead) bool { return f.sub == t }); i >= 0 {
			if !first[i].from.told || first[i].from != from {
				return ""
			}
			continue
		}
		if t.catches() {
			n = min(n, t.after)
		}
	}
	switch {
	case s.node.several():
		if len(first) < len(s.subs) {
			return ""
		}
	case from.at.epoch == s.node.epoch.Load():
		from.at.number = min(from.at.number, n)
	}
	return from.at.format()
}

func appendGap(dst []byte, g gap) []byte {
	return wire.AppendGap(dst, g.sub.name(), string(g.after), string(g.position), g.lost)
}

// tell sends a frame of the session's own, also beyond what a link queues.
func (s *Session) tell(b []byte, at Position) {
	l := s.line
	if l == nil || l.deaf {
		return
	}
	if at != "" && s.flags&sToken != 0 {
		if _, err := l.link.Send(NewMessageAt(JSON, b, at)); err == nil {
			return
		}
	}
	s.reply(l, b)
}
