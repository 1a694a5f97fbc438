package longwire

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
)

// What is older than the recent window is read from the broker, a page at a time, at the desk.

const pageBytes = 64 << 10 // of one read

// A page is what is read for a session at the desk.
type page struct {
	s    *Session
	l    *line // of then: an answer for an old link is of no use
	part int
	read *pageRead
}

// A pageRead is a piece of history. Sessions that stand at the same place share it.
type pageRead struct {
	gaps   []*GapError
	events []*event
	upTo   uint64 // nothing else is up to there
	err    error
}

// readPage reads what is older than the recent window, for those that are behind number.
func (s *Session) readPage(now time.Time, number uint64) {
	n, c := s.node, &s.more.catch
	r := &Range{Epoch: n.epoch.Load(), After: number, Taken: c.stood, Limit: n.opts.bounds.page}
	if n.several() {
		s.chooseRead(r)
	} else {
		for _, t := range s.subs {
			if t.catches() {
				r.Channels = append(r.Channels, t.name())
			}
		}
	}
	key := fmt.Sprintf("page %d %d %d %s", r.Partition, r.After, c.stood.Unix(), strings.Join(r.Channels, ","))
	p := &page{s: s, l: s.line, part: r.Partition}
	c.begin(n.desk.ask(s.hub.loop, key, &pageQuestion{n, r}, func(read any) {
		p.read = read.(*pageRead)
		s.hub.loop.PostTask(p)
	}))
}

// readPage reads a piece of history. Not on a loop.
func (n *Node) readPage(ctx context.Context, r *Range) *pageRead {
	p := &pageRead{upTo: n.postedIn(r.Partition)} // first: all of it can be read
	whole := p.fill(n, n.broker.Read(ctx, r))
	if k := len(p.events); k > 0 {
		last := p.events[k-1].p.Number
		if !whole || k == r.Limit {
			p.upTo = last
		}
		p.upTo = max(p.upTo, last)
	}
	return p
}

// fill takes at most pageBytes, and one publication more. It ends before a gap that
// comes in the midst: the next page begins with that. It reports whether it came to
// the end of what was asked for.
func (p *pageRead) fill(n *Node, all iter.Seq2[*Publication, error]) (whole bool) {
	bytes := 0
	for q, err := range all {
		g, ok := errors.AsType[*GapError](err)
		switch {
		case ok && len(p.events) > 0:
			return false
		case ok:
			p.gaps = append(p.gaps, g)
			continue
		case err != nil:
			p.err = err
			return false
		}
		p.events = append(p.events, n.eventIn(q, q.Number, nil))
		if bytes += len(q.Data); bytes >= pageBytes {
			return false
		}
	}
	return true
}

// cannotRead says that history cannot be read, once a second: where a broker is away that is so for all.
func (n *Node) cannotRead(now time.Time, err error) {
	last := n.complained.Load()
	if second := now.Unix(); second != last && n.complained.CompareAndSwap(last, second) {
		n.log.Warn("longwire: history cannot be read; it is tried again", "err", err)
	}
}

// Run sends what was read.
func (p *page) Run(now time.Time) {
	s := p.s
	c := &s.more.catch
	c.end()
	if s.line != p.l || s.line == nil {
		s.catchUp(now)
		return
	}
	if p.read.err != nil {
		s.node.cannotRead(now, p.read.err)
		s.retry(retryAfter)
		return
	}
	var gaps []gap
	for _, g := range p.read.gaps {
		if t := s.find(g.Channel); t != nil && t.reads() && c.standsIn(t, p.part) < max(g.After, g.Lost) && c.news(t, p.part, g) {
			from := s.placeOf(t, now)
			c.advance(t, p.part, g.After)
			gaps = append(gaps, gap{sub: t, after: from, position: s.placeOf(t, now)})
		}
	}
	s.tellGaps(now, gaps)
	if len(p.read.events) > 0 && s.sendEvents(p.read.events) {
		return
	}
	s.reachedIn(p.part, p.read.upTo)
	s.catchUp(now)
}

// A lossOf is what a gap tells of: what a subscription lost of a partition.
type lossOf struct {
	t    *sub
	part int
}

// losses are what was known to be lost when a gap was told.
type losses struct {
	newest uint64
	count  uint64 // more when there are more of them
}

func lossesOf(g *GapError) losses { return losses{g.Lost, g.Losses} }

// covers reports whether what is lost by o was known to be lost then.
func (l losses) covers(o losses) bool {
	return o.newest > 0 && o.newest <= l.newest && o.count <= l.count
}

// news reports whether a gap tells of losses that have not been told: what matches
// a pattern may be kept from one channel while newer things of another are lost. A gap behind
// which nothing is missing is told in any case: who stands there does not come to it again.
func (c *catching) news(t *sub, part int, g *GapError) bool {
	k, lost := lossOf{t, part}, lossesOf(g)
	if g.Lost > g.After && c.lost[k].covers(lost) {
		return false
	}
	c.knows(k, lost)
	return true
}

// knows notes what has been told of losses, or need not be.
func (c *catching) knows(k lossOf, lost losses) {
	if c.lost == nil {
		c.lost = map[lossOf]losses{}
	}
	told := c.lost[k]
	c.lost[k] = losses{max(lost.newest, told.newest), max(lost.count, told.count)}
}
