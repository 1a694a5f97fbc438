package longwire

import (
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// A session without a link waits for its peer to come back, for the resume window.
// What is published meanwhile is not queued: whoever comes back says where it
// stands. A session ends at once if its peer cannot come back, because it never
// learned the secret; if it said goodbye; or if this end closed it.

// An away is the wait.
type away struct {
	timer  loop.Timer
	s      *Session
	reason *Close
}

// lost hears that the session's link is gone.
func (s *Session) lost(now time.Time, c *Close) {
	s.leaveLine()
	switch {
	case s.flags&sEnded != 0:
		return
	case s.flags&sBegun == 0:
		s.flags |= sEnded
		for len(s.subs) > 0 { // a hook's doing
			s.unsubscribe(s.subs[len(s.subs)-1])
		}
		return
	}
	// Only a WebSocket can say goodbye: elsewhere a crash and a proxy look the same.
	goodbye := s.flags&sWebSocket != 0 && c.Remote && c.code() == wire.CodeNormal
	if s.flags&(sReader|sKnown) != sKnown || goodbye || s.node.opts.ResumeWindow <= 0 || s.node.ending.Load() {
		s.end(now, c)
		return
	}
	a := &away{s: s, reason: c}
	a.timer.Owner = a
	s.rare().away = a
	s.hub.loop.After(s.node.opts.ResumeWindow, &a.timer)
}

// leaveLine parts the session from its link.
func (s *Session) leaveLine() {
	if s.line != nil {
		if p, ok := s.line.link.(polled); ok && p.Numbered() > 0 {
			s.rare().number = p.Numbered()
		}
	}
	s.line = nil
	s.pushOn()
	s.flags &^= sFull | sOver | sHeld
	if m := s.more; m != nil {
		m.waiting.giveUp()
		if m.catch.stop != nil {
			m.catch.stop()
		}
		later := m.catch.later
		m.catch.first, m.catch.then, m.catch.greets, m.catch.later = nil, nil, false, nil
		for _, f := range later {
			f(s.hub.loop.Now())
		}
	}
}

// Fire is the end of the resume window.
func (a *away) Fire(now time.Time) { a.s.end(now, a.reason) }

func (s *Session) stopWaiting() {
	if m := s.more; m != nil && m.away != nil {
		m.away.timer.Stop()
		m.away = nil
	}
}

// end ends the session for good.
func (s *Session) end(now time.Time, c *Close) {
	if s.flags&sEnded != 0 {
		return
	}
	s.flags |= sEnded
	s.closed.Store(true)
	s.stopWaiting()
	for len(s.subs) > 0 {
		s.unsubscribe(s.subs[len(s.subs)-1])
	}
	if s.flags&sReader != 0 {
		delete(s.hub.readers, s)
		return
	}
	if s.more == nil || s.more.last == nil {
		s.node.sessions.remove(s)
	}
	if m := s.more; m != nil && m.posts != nil {
		m.posts.drop()
	}
	if s.node.opts.Handler.Disconnect != nil {
		s.node.untold.Add(1)
		s.hub.loop.Go(&farewell{s.node, &DisconnectEvent{ID: s.ID(), Peer: s.Peer(), Reason: c, Lived: now.Sub(s.node.began) - s.began}})
	}
}

// A telling is a session that has ended but whose link, which is polled, has yet to
// tell so. For as long as it would wait for a poll, polls find it.
type telling struct {
	timer loop.Timer
	s     *Session
}

const tellTime = time.Minute

// tellLater keeps the session for the polls of a link that is about to be closed.
func (s *Session) tellLater(l *line) {
	p, ok := l.link.(polled)
	if !ok || s.flags&sPolled == 0 {
		return
	}
	s.rare().last = p
	t := &telling{s: s}
	t.timer.Owner = t
	s.hub.loop.After(tellTime, &t.timer)
}

// Fire has the session forgotten.
func (t *telling) Fire(time.Time) { t.s.node.sessions.remove(t.s) }

// A farewell is the hook's part of the end.
type farewell struct {
	n *Node
	e *DisconnectEvent
}

// Work tells the hook.
func (f *farewell) Work() {
	defer f.n.untold.Add(-1)
	_ = f.n.survive(func() error { f.n.opts.Handler.Disconnect(f.n.ctx, f.e); return nil }) // it is logged
}
