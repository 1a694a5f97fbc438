package longwire

import (
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
	found []place
	err   error
}

// A place is what history said.
type place struct {
	after  uint64
	gap    bool
	events []*event // only for the last so many of a pattern, which do not hang together
	upTo   uint64
}

func (s *Session) readFirst(time.Time) {
	c := &s.more.catch
	p := &placing{s: s, l: s.line, reads: slices.Clone(c.first)}
	c.reading = true
	s.hub.loop.Go(p)
}

// Work looks.
func (p *placing) Work() {
	n, now := p.s.node, time.Now()
	for _, r := range p.reads {
		f, err := n.place(r.sub.list.topic.name, r.from, now)
		if err != nil {
			p.err = err
			break
		}
		p.found = append(p.found, f)
	}
	p.s.hub.loop.PostTask(p)
}

func (n *Node) place(name string, from since, now time.Time) (f place, err error) {
	f.upTo = n.posted.Load()
	scattered := from.last > 0 && isPattern(name)
	r := &Range{Channels: []string{name}, Limit: 1}
	from.fill(r, now)
	if scattered {
		r.Limit = maxLastOfAll
	}
	events, gaps, err := n.read(r, 1<<30)
	if err != nil {
		return f, err
	}
	switch {
	case len(gaps) > 0:
		f.gap, f.after = true, gaps[0].After
	case from.told:
		f.after = from.at.number
	case scattered:
		f.events = events
		f.after = f.upTo
		if k := len(events); k > 0 {
			f.after = max(f.after, events[k-1].p.Number)
		}
	case len(events) > 0:
		f.after = events[0].p.Number - 1
	default:
		f.after = f.upTo
	}
	return f, nil
}

// Run puts the subscriptions in their places.
func (p *placing) Run(now time.Time) {
	s := p.s
	s.more.catch.reading = false
	if s.line != p.l || s.line == nil {
		s.catchUp(now)
		return
	}
	if p.err != nil {
		s.node.log.Warn("longwire: history cannot be read; it is tried again", "err", p.err)
		s.retry(now)
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
			if f := p.found[i]; r.sub.list != nil && r.sub.catches() {
				r.sub.after = f.after
				if f.gap {
					gaps = append(gaps, gap{r.sub, s.node.fromOf(r.from), s.node.at(f.after, now)})
				}
			}
		}
	}
	if then := c.then; then != nil {
		c.then = nil
		then(now, gaps)
	}
	for _, g := range gaps {
		s.tellGap(g)
	}
	if p != nil {
		p.sendScattered()
	}
	s.catchUp(now)
	s.goOn(now)
}

// sendScattered sends the last publications of patterns. They are one bounded
// piece, so they are sent also beyond what a link queues.
func (p *placing) sendScattered() {
	s := p.s
	for i, r := range p.reads {
		for _, e := range p.found[i].events {
			if r.sub.list != nil {
				s.tell(e.message(r.sub.list.topic).data, "")
			}
		}
	}
}

// fromOf returns the position that a since named.
func (n *Node) fromOf(from since) Position {
	return formatPosition(from.at.epoch, from.at.number, time.Unix(from.at.second, 0))
}

func appendGap(dst []byte, g gap) []byte {
	return wire.AppendGap(dst, g.sub.name(), string(g.after), string(g.position), 0)
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
