package longwire

import "time"

// An event stream resumes by the last id that came, and that speaks of the
// subscriptions that there were when it was sent. One that a frame makes while
// something catches up, itself maybe, is told without an id, and so are the messages
// until all are live: a peer that is cut then comes back with an id that is
// older than the subscription, and may be ahead of it. So the session notes where
// such subscriptions began, and since when ids speak of them, too.
//
// A peer of another stream keeps a position instead of an id, and one that was told
// before the reply came does not speak of the subscription either. It is behind one that
// begins now, which so needs no note.
//
// A position from before where the subscription began may be of an earlier one to the
// same name, and holds.

// An untold is a subscription of which ids do not speak, or did not at first.
type untold struct {
	began position
	since position // ids behind it speak of the subscription; zero while none do
}

// notTold notes that the reply to a frame that made a subscription has no id.
func (s *Session) notTold(t *sub) {
	m := s.rare()
	if m.untold == nil {
		m.untold = map[*sub]untold{}
	}
	m.untold[t] = untold{began: s.hub.positionAt(t.after)}
}

// positionAt returns a number's position.
func (h *hub) positionAt(number uint64) position {
	n := h.node
	p := position{epoch: n.epoch.Load(), number: number}
	if n.several() {
		p.number, p.each, p.parts = noNumber, h.marksAt(number), n.parts
	}
	return p
}

// beyond reports whether a position is beyond another in everything, or at the same numbers later.
func (p *position) beyond(o *position, parts int) bool {
	further := false
	for i := range parts {
		switch a, b := p.in(i, parts), o.in(i, parts); {
		case a < b:
			return false
		case a > b:
			further = true
		}
	}
	return further || p.second > o.second
}

// least returns what both positions have.
func (p *position) least(o *position, parts int) position {
	l := *p
	if l.number = min(p.number, o.number); p.each != nil && o.each != nil {
		l.each = new(*p.each)
		l.each.lower(o.each, span{0, parts})
	}
	return l
}

// nowTold notes that all subscriptions are live, and have everything up to number.
func (m *more) nowTold(h *hub, number uint64, now time.Time) {
	for t, u := range m.untold {
		if u.since == (position{}) {
			u.since = h.positionAt(number)
			u.since.second = now.Unix()
			m.untold[t] = u
		}
	}
}

// goesOn returns where a subscription goes on whose peer came back with an id.
func (s *Session) goesOn(t *sub, from since) since {
	from = s.node.present(from)
	if s.more == nil || !from.told || from.at.epoch != s.node.epoch.Load() {
		return from
	}
	u, ok := s.more.untold[t]
	switch at := u.since; {
	case !ok:
	case at != position{} && from.at.beyond(&at, s.node.parts):
		delete(s.more.untold, t)
	default:
		from.at = from.at.least(&u.began, s.node.parts)
	}
	return from
}
