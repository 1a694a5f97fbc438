package longwire

import (
	"context"
	"errors"
	"time"
)

// Catching up. A subscription that is not live is brought there from history: one
// whose link had no room, one that began in the past, one that came back. Nothing
// is queued for it meanwhile. All of a session's that catch up do so together, in
// the order of the numbers, each from its own place:
//
//   - what is in the recent window is sent by the loop itself;
//   - what is older is read from the broker on another goroutine, a page at a time;
//   - when the window's end is reached nothing is missing, and they are live.
//
// The socket paces it: where it has no room, that is where they stand, and Drained
// goes on from there.
type catching struct {
	n       int         // subscriptions that are not live
	first   []firstRead // those of them whose place history has to tell
	then    func(now time.Time, gaps []gap)
	greets  bool            // that tells connected: nothing is sent before
	later   []effect        // after that
	only    map[*sub]place  // those of first that get only some; nil mostly
	lost    map[*sub]uint64 // what gaps have told of; nil mostly
	reading bool            // another goroutine reads for it
	stop    func()          // ends that; may be called again
	posted  bool            // a task goes on
}

// A firstRead is a subscription whose since is not a place yet.
type firstRead struct {
	sub  *sub
	name string // its own: it may have ended while another goroutine looks
	from since
}

// A gap is what a subscription was not given.
type gap struct {
	sub      *sub
	after    Position // where it stood, or was said to stand
	position Position // where it goes on
}

const (
	pageBytes    = 64 << 10 // of one read
	windowRounds = 8        // before others have their turn
)

// catching returns how many subscriptions are not live.
func (m *more) catching() int {
	if m == nil {
		return 0
	}
	return m.catch.n
}

// forget takes out a subscription that ends.
func (m *more) forget(t *sub) {
	if m == nil {
		return
	}
	delete(m.untold, t)
	if !t.catches() {
		return
	}
	m.catch.n--
	delete(m.catch.only, t)
	delete(m.catch.lost, t)
	for i := range m.catch.first {
		if m.catch.first[i].sub == t {
			m.catch.first = append(m.catch.first[:i], m.catch.first[i+1:]...)
			break
		}
	}
}

// catch makes a subscription catch up from number on. What is being read for others
// was not looked for from there, and is not for it.
func (s *Session) catch(t *sub, number uint64) {
	t.after = number
	t.flags &^= subReading
	if !t.catches() {
		t.flags |= subCatching
		s.rare().catch.n++
	}
	delete(s.more.catch.only, t)
	delete(s.more.catch.lost, t)
}

// live makes all that catch up live: they had everything up to number.
func (s *Session) live(number uint64) {
	for _, t := range s.subs {
		if t.catches() {
			t.flags &^= subCatching | subReading
			t.after = max(t.after, number)
		}
	}
	if s.line != nil {
		if w, ok := s.line.link.(waker); ok {
			w.Wake() // a poll may wait for nothing else
		}
	}
	m := s.more
	m.catch.n, m.catch.only, m.catch.lost = 0, nil, nil
	m.nowTold(number, s.hub.loop.Now())
	if m.untold == nil && m.queue == nil && m.posts == nil && m.away == nil && m.number == 0 && !m.catch.posted && !m.catch.reading && m.catch.first == nil {
		s.more = nil
	}
}

// fallBehind notes that the link has no room: live subscriptions are so no
// longer. The one that found out had everything up to upTo. The peer is read all the
// same: it may want to unsubscribe from what is too much for it.
func (s *Session) fallBehind(failed *sub, upTo uint64) {
	s.flags |= sFull
	if failed != nil {
		s.catch(failed, max(failed.after, upTo))
	}
	s.hub.passBy(s)
}

// subscribeSince makes a subscription. It reports whether its place has yet to be told.
func (s *Session) subscribeSince(name string, from since) (*sub, bool) {
	t, _ := s.subscribe(name, 0)
	return t, s.startAt(t, from)
}

// startAt sets where a subscription begins.
func (s *Session) startAt(t *sub, from since) (told bool) {
	n := s.node
	if from.now() {
		return false
	}
	if from.told && n.reaches(from.at) {
		s.catch(t, from.at.number)
		return false
	}
	s.catch(t, n.looking.Load())
	c := &s.rare().catch
	c.first = append(c.first, firstRead{t, t.name(), from})
	s.flags |= sHeld
	return true
}

// catchUp goes on, if it can.
func (s *Session) catchUp(now time.Time) {
	if s.more == nil {
		return
	}
	c := &s.more.catch
	switch {
	case c.reading || c.posted || s.line == nil || s.flags&(sFull|sEnded) != 0:
	case len(c.first) > 0:
		s.readFirst(now)
	case s.flags&sHeld != 0:
		s.placed(now, nil)
	case c.n > 0:
		s.fromWindow(now)
	}
}

// fromWindow sends what is in the recent window.
func (s *Session) fromWindow(now time.Time) {
	n, buf := s.node, s.hub.window[:0]
	for range windowRounds {
		after := s.least()
		events, ok := n.recent.after(buf, after)
		if !ok {
			s.readPage(now, after)
			return
		}
		if len(events) == 0 {
			s.live(after)
			return
		}
		full := s.sendEvents(events)
		clear(events)
		if full {
			return
		}
	}
	s.more.catch.posted = true
	s.hub.loop.PostTask(effect(func(now time.Time) {
		s.more.catch.posted = false
		s.catchUp(now)
	}))
}

// least returns the place of the one that is furthest behind, for a read in which
// all take part.
func (s *Session) least() uint64 {
	n := ^uint64(0)
	for _, t := range s.subs {
		if t.catches() {
			t.flags |= subReading
			n = min(n, t.after)
		}
	}
	return n
}

// sendEvents sends events to those that read and want them. It reports
// whether the link has no more room.
func (s *Session) sendEvents(events []*event) (full bool) {
	for _, e := range events {
		var next *sub // one behind the last, which is to be known
		for _, t := range s.subs {
			if !t.reads() || !t.list.topic.matches(e.p.Channel) || !s.more.catch.wants(t, e.p.Number) {
				continue
			}
			if next != nil && !s.sendTo(next, e, true) {
				return true
			}
			next = t
		}
		if next != nil && !s.sendTo(next, e, false) {
			return true
		}
	}
	s.reached(events[len(events)-1].p.Number)
	return false
}

// sendTo sends an event to one that catches up; again is whether others get it
// as well. It reports whether that went.
func (s *Session) sendTo(t *sub, e *event, again bool) bool {
	number := e.p.Number
	if err := s.send(s.tokened(e.message(t.list.topic), again)); err != nil {
		s.reached(number - 1)
		if errors.Is(err, ErrFull) {
			s.fallBehind(nil, 0)
		}
		return false
	}
	t.after = number
	return true
}

// reached notes that all that read had everything up to number.
func (s *Session) reached(number uint64) {
	for _, t := range s.subs {
		if t.reads() {
			t.after = max(t.after, number)
		}
	}
}

// A page is what another goroutine has read for a session.
type page struct {
	ctx    context.Context // ends with the link: nobody waits for the answer then
	s      *Session
	l      *line // of then: an answer for an old link is of no use
	after  uint64
	names  []string
	gaps   []*GapError
	events []*event
	upTo   uint64 // nothing else is up to there
	err    error
}

// readPage reads what is older than the recent window.
func (s *Session) readPage(now time.Time, after uint64) {
	p := &page{s: s, l: s.line, after: after}
	for _, t := range s.subs {
		if t.catches() {
			p.names = append(p.names, t.name())
		}
	}
	p.ctx = s.more.catch.begin(s.node.ctx)
	s.hub.loop.Go(p)
}

// Work reads.
func (p *page) Work() {
	n := p.s.node
	p.upTo = n.posted.Load() // first: all of it can be read
	r := &Range{Channels: p.names, Epoch: n.epoch.Load(), After: p.after, Taken: time.Now(), Limit: n.opts.bounds.page}
	whole := p.read(r)
	if k := len(p.events); k > 0 {
		last := p.events[k-1].p.Number
		if !whole || k == r.Limit {
			p.upTo = last
		}
		p.upTo = max(p.upTo, last)
	}
	p.s.hub.loop.PostTask(p)
}

// read reads at most pageBytes, and one publication more. It ends before a gap that
// comes in the midst: the next page begins with that. It reports whether it came to
// the end of what was asked for.
func (p *page) read(r *Range) (whole bool) {
	bytes := 0
	for q, err := range p.s.node.broker.Read(p.ctx, r) {
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
		p.events = append(p.events, newEvent(q))
		if bytes += len(q.Data); bytes >= pageBytes {
			return false
		}
	}
	return true
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
	if p.err != nil {
		s.node.log.Warn("longwire: history cannot be read; it is tried again", "err", p.err)
		s.retry(now)
		return
	}
	var gaps []gap
	for _, g := range p.gaps {
		if t := s.find(g.Channel); t != nil && t.reads() && t.after < max(g.After, g.Lost) && c.news(t, g) {
			to := max(t.after, g.After)
			gaps = append(gaps, gap{t, s.node.at(t.after, now), s.node.at(to, now)})
			t.after = to
		}
	}
	s.tellGaps(now, gaps)
	if len(p.events) > 0 && s.sendEvents(p.events) {
		return
	}
	s.reached(p.upTo)
	s.catchUp(now)
}

// begin notes that another goroutine begins to read, and returns its context; end, that
// it has.
func (c *catching) begin(ctx context.Context) context.Context {
	ctx, c.stop = context.WithCancel(ctx)
	c.reading = true
	return ctx
}

func (c *catching) end() {
	c.stop()
	c.reading, c.stop = false, nil
}

// news reports whether a gap tells of losses that have not been told: what matches
// a pattern may be kept from one channel while newer things of another are lost.
func (c *catching) news(t *sub, g *GapError) bool {
	if g.Lost > 0 && g.Lost <= c.lost[t] {
		return false
	}
	if c.lost == nil {
		c.lost = map[*sub]uint64{}
	}
	c.lost[t] = g.Lost
	return true
}

// at returns the position of a number.
func (n *Node) at(number uint64, t time.Time) Position {
	return formatPosition(n.epoch.Load(), number, t)
}

// tellGaps tells of gaps, also a link without room: nothing follows before them.
// Where the session stands then, the last one says.
func (s *Session) tellGaps(now time.Time, gaps []gap) {
	for i, g := range gaps {
		var at Position
		if i == len(gaps)-1 && s.more.catching() == len(s.subs) {
			at = s.position(now)
		}
		s.tell(appendGap(nil, g), at)
	}
}

// retryAfter is how long a session waits before it reads again after an error.
const retryAfter = 250 * time.Millisecond

// retry tries again in a while.
func (s *Session) retry(time.Time) {
	c := &s.more.catch
	c.posted = true
	time.AfterFunc(retryAfter, func() {
		s.hub.loop.PostTask(effect(func(now time.Time) {
			c.posted = false
			s.catchUp(now)
		}))
	})
}
