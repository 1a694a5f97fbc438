package longwire

import (
	"errors"
	"time"
)

// Catching up. A subscription that is not live is brought there from history: one
// whose link had no room, one that began in the past, one that came back. Nothing
// is queued for it meanwhile. All of a session's that catch up do so together, in
// the order of the numbers, each from its own place:
//
//   - what is in the recent window is sent by the loop itself;
//   - what is older is read from the broker, a page at a time, at the desk;
//   - when the window's end is reached nothing is missing, and they are live.
//
// The socket paces it: where it has no room, that is where they stand, and Drained
// goes on from there.
type catching struct {
	n       int         // subscriptions that are not live
	first   []firstRead // those of them whose place history has to tell
	then    func(now time.Time, gaps []gap)
	greets  bool              // that tells connected: nothing is sent before
	later   []effect          // after that
	only    map[*sub]place    // those of first that get only some; nil mostly
	lost    map[lossOf]losses // what gaps have told of; nil mostly
	spots   map[*sub]*marks   // where they stand, with several partitions; nil with one
	stood   time.Time         // when they stood where they do, or before
	reading bool              // something is read for it
	stop    func()            // says that it need not be; may be called again
	posted  bool              // a task goes on
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
	lost     uint64   // how many publications; zero if that is not known
}

const windowRounds = 8 // before others have their turn

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
	m.waiting.forget(t)
	if !t.catches() {
		return
	}
	m.catch.n--
	m.catch.drop(t)
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
	c := &s.rare().catch
	if now := s.hub.loop.Now(); c.n == 0 || c.stood.After(now) {
		c.stood = now
	}
	if !t.catches() {
		t.flags |= subCatching
		c.n++
	}
	c.drop(t)
	if s.node.several() {
		c.put(t, *s.hub.marksAt(number))
	}
}

// catchFrom is catch from marks on.
func (s *Session) catchFrom(t *sub, m *marks) {
	s.catch(t, s.node.looking.Load())
	s.more.catch.put(t, *m)
}

// drop forgets what is known of how a subscription catches up.
func (c *catching) drop(t *sub) {
	delete(c.only, t)
	delete(c.spots, t)
	for k := range c.lost {
		if k.t == t {
			delete(c.lost, k)
		}
	}
}

// live makes all that catch up live: they had everything up to number. What history does not
// have of the time until then is told and sent.
func (s *Session) live(number uint64) {
	now, m := s.hub.loop.Now(), s.more
	gaps := s.missed(now)
	for _, t := range s.subs {
		if t.catches() {
			t.flags &^= subCatching | subReading
			t.after = max(t.after, number)
		}
	}
	m.catch.n, m.catch.only, m.catch.lost, m.catch.spots = 0, nil, nil, nil
	m.nowTold(s.hub, number, now)
	s.tellGaps(now, gaps)
	s.sendWaiting(now)
	if s.line != nil {
		if w, ok := s.line.link.(waker); ok {
			w.Wake() // a poll may wait for nothing else
		}
	}
	if m.idle() {
		s.more = nil
	}
}

// idle reports whether nothing is in m.
func (m *more) idle() bool {
	return m.untold == nil && m.queue == nil && m.posts == nil && m.away == nil && m.number == 0 && m.pushed == nil && len(m.waiting.list) == 0 &&
		m.catch.n == 0 && !m.catch.posted && !m.catch.reading && m.catch.first == nil
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
	from = n.present(from)
	if from.told && s.catchAt(t, &from.at) {
		s.more.catch.standsSince(from)
		return false
	}
	s.catch(t, n.looking.Load())
	c := &s.more.catch
	c.first = append(c.first, firstRead{t, t.name(), from})
	s.flags |= sHeld
	return true
}

// catchAt has a subscription catch up from a position on, if the recent window reaches back to it.
func (s *Session) catchAt(t *sub, at *position) bool {
	n := s.node
	if !n.keepsHistory(t.name()) {
		return false // whoever comes back may have missed something: it is told so
	}
	if !n.several() {
		if !n.reaches(t.name(), at) {
			return false
		}
		s.catch(t, at.number)
		return true
	}
	m, ok := n.marksIn(t.name(), at)
	if ok {
		s.catchFrom(t, m)
	}
	return ok
}

// standsSince notes when a peer stood at the position that it comes back with. What history
// has lost is judged by that.
func (c *catching) standsSince(from since) {
	if at := time.Unix(from.at.second, 0); from.told && at.Before(c.stood) {
		c.stood = at
	}
}

// catchUp goes on, if it can.
func (s *Session) catchUp(now time.Time) {
	if s.more == nil {
		return
	}
	c := &s.more.catch
	switch {
	case c.reading || c.posted || s.line == nil || s.line.deaf || s.flags&(sFull|sEnded) != 0:
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
		after, ok := s.least()
		events := buf
		if ok {
			events, ok = n.recent.after(buf, after)
		}
		if !ok {
			s.readPage(now, after)
			return
		}
		if len(events) == 0 {
			if s.aheadOfNode() {
				s.retry(hearAfter)
			} else {
				s.live(after)
			}
			return
		}
		full := s.sendEvents(events)
		clear(events)
		if full {
			return
		}
	}
	s.catchUpLater()
}

// catchUpLater goes on in a task of its own.
func (s *Session) catchUpLater() {
	c := &s.more.catch
	if c.posted {
		return
	}
	c.posted = true
	s.hub.loop.PostTask(effect(func(now time.Time) {
		c.posted = false
		s.catchUp(now)
	}))
}

// least returns the place of the one that is furthest behind, for a read in which
// all take part. It returns false if one is further behind than the order reaches back.
func (s *Session) least() (number uint64, ok bool) {
	n := s.node
	number, ok = ^uint64(0), true
	for _, t := range s.subs {
		if !t.catches() {
			continue
		}
		t.flags |= subReading
		if n.several() {
			var found bool
			if t.after, found = n.recent.find(s.more.catch.spot(t), n.spanOf(t.name())); !found {
				ok = false
			}
		}
		number = min(number, t.after)
	}
	return number, ok
}

// sendEvents sends events to those that read and want them. It reports
// whether the link has no more room.
func (s *Session) sendEvents(events []*event) (full bool) {
	for _, e := range events {
		takers := s.hub.takers[:0]
		for _, t := range s.subs {
			if t.reads() && t.list.topic.matches(e.p.Channel) && s.more.catch.wants(t, e.p) {
				takers = append(takers, t)
			}
		}
		s.hub.takers = takers
		if len(takers) > 0 && !s.sendTo(takers, e) {
			return true
		}
	}
	e := events[len(events)-1]
	s.more.catch.movesOn(e)
	s.reached(e)
	return false
}

// sendTo sends an event for some that catch up; on a link that resumes by one token for
// all of them, or none. It reports whether that went.
func (s *Session) sendTo(takers []*sub, e *event) bool {
	if s.flags&sToken == 0 {
		for _, t := range takers {
			if !s.sent(s.send(s.messageFor(t, e)), takers[:1], e) {
				return false
			}
			takers = takers[1:]
		}
		return true
	}
	m := s.messageFor(takers[0], e)
	if len(takers) > 1 {
		ms := make([]*Message, len(takers))
		for i, t := range takers {
			ms[i] = s.messageFor(t, e)
		}
		m = together(ms)
	}
	return s.sent(s.send(s.tokened(m)), takers, e)
}

// messageFor returns an event as a subscription that catches up gets it.
func (s *Session) messageFor(t *sub, e *event) *Message {
	if s.node.several() {
		return s.catchingMessage(t, e)
	}
	return e.message(t.list.topic)
}

// sent notes that an event was sent for some, or that the link has no room for it.
func (s *Session) sent(err error, takers []*sub, e *event) bool {
	if err != nil {
		s.reachedBefore(e)
		if errors.Is(err, ErrFull) {
			s.fallBehind(nil, 0)
		}
		return false
	}
	for _, t := range takers {
		s.more.catch.advance(t, e.p.Partition, e.p.Number)
	}
	return true
}

// movesOn notes that all that read have an event, and all before it: nothing after it was
// there before it was published.
func (c *catching) movesOn(e *event) {
	if e.p.Time.After(c.stood) {
		c.stood = e.p.Time
	}
}

// reached notes that all that read had an event, and all before it; reachedBefore, that they had
// all before it.
func (s *Session) reached(e *event)       { s.reach(e, e.p.Number) }
func (s *Session) reachedBefore(e *event) { s.reach(e, e.p.Number-1) }

func (s *Session) reach(e *event, number uint64) {
	var m marks
	if e.marks != nil {
		m = *e.marks
		m[e.p.Partition] = number
	}
	for _, t := range s.subs {
		if !t.reads() {
			continue
		}
		s.more.catch.advance(t, e.p.Partition, number)
		if e.marks != nil {
			s.more.catch.spot(t).raise(&m)
		}
	}
}

// reachedIn notes that all that read had everything of a partition up to a number.
func (s *Session) reachedIn(part int, number uint64) {
	for _, t := range s.subs {
		if t.reads() {
			s.more.catch.advance(t, part, number)
		}
	}
}

// advance notes that one that catches up had everything of a partition up to a number.
func (c *catching) advance(t *sub, part int, number uint64) {
	if m := c.spot(t); m != nil {
		m[part] = max(m[part], number)
	} else {
		t.after = max(t.after, number)
	}
}

// standsIn returns up to which number of a partition one that catches up had everything.
func (c *catching) standsIn(t *sub, part int) uint64 {
	if m := c.spot(t); m != nil {
		return m[part]
	}
	return t.after
}

// begin notes that something is read, and how to say that it is of no use any more; end,
// that it was.
func (c *catching) begin(stop func()) { c.reading, c.stop = true, stop }

func (c *catching) end() {
	c.stop()
	c.reading, c.stop = false, nil
}

// positionOf returns the position of a place in the order.
func (h *hub) positionOf(number uint64, t time.Time) Position {
	n := h.node
	if n.several() {
		return formatMarks(n.epoch.Load(), h.marksAt(number), n.parts, t)
	}
	return formatPosition(n.epoch.Load(), number, t)
}

// placeOf returns where a subscription that catches up, or that has just begun, stands.
func (s *Session) placeOf(t *sub, now time.Time) Position {
	if s.more != nil {
		if m := s.more.catch.spot(t); m != nil {
			return formatMarks(s.node.epoch.Load(), m, s.node.parts, now)
		}
	}
	return s.hub.positionOf(t.after, now)
}

// tellGaps tells of gaps, also a link without room: nothing follows before them.
// Where the session stands then, the last one says.
func (s *Session) tellGaps(now time.Time, gaps []gap) {
	for i, g := range gaps {
		var at Position
		if n := s.more.catching(); i == len(gaps)-1 && (n == 0 || n == len(s.subs)) {
			at = s.position(now)
		}
		g.sub.flags &^= subMissed
		delete(s.more.waiting.dropped, g.sub)
		s.tell(appendGap(nil, g), at)
	}
}

const (
	// retryAfter is how long a session waits before it reads again after an error.
	retryAfter = 250 * time.Millisecond
	// hearAfter is how long one waits that knows more than its node has heard.
	hearAfter = 5 * time.Millisecond
)

// retry tries again in a while.
func (s *Session) retry(d time.Duration) {
	c := &s.more.catch
	c.posted = true
	time.AfterFunc(d, func() {
		s.hub.loop.PostTask(effect(func(now time.Time) {
			c.posted = false
			s.catchUp(now)
		}))
	})
}
