package longwire

import (
	"time"
	"unicode/utf8"

	"github.com/longwire/longwire/wire"
)

// maxUnsent bounds what is sent to a session and not yet with its loop, in bytes.
const maxUnsent = maxTransit

// Send pushes a message to the session alone: a `send` frame. Data that is not what kind
// says, or is over the message limit (too_large), is refused. It never blocks, and is at
// most once: a session that has no link just now, or whose link is cut, does not get it.
// For what must not be lost publish to the user's inbox ([Inbox]). It returns ErrFull if
// 64 KiB wait for the session's loop or its peer already, ErrClosed if the session has ended.
func (s *Session) Send(method string, kind Kind, data []byte) error {
	if method == "" || len(method) > wire.MaxMethod || !utf8.ValidString(method) {
		return wire.Errorf(wire.CodeBadRequest, "a method has 1 to %d bytes", wire.MaxMethod)
	}
	data, err := s.node.outgoing(kind, data)
	if err != nil {
		return err
	}
	b := wire.AppendSend(make([]byte, 0, len(data)+len(method)+64), method, wire.Type(kind), data)
	if s.closed.Load() {
		return ErrClosed
	}
	if s.unsent.Add(int32(len(b))) > maxUnsent+int32(len(b)) {
		s.unsent.Add(-int32(len(b)))
		return ErrFull
	}
	s.hub.loop.PostTask(s.greeted(func(time.Time) {
		s.push(b)
	}))
	return nil
}

// push sends what was pushed. While answers or pushes wait beyond what the link
// queues it waits, too, and counts as not sent.
func (s *Session) push(b []byte) {
	if s.line != nil && s.flags&sOver != 0 {
		m := s.rare()
		m.pushed = append(m.pushed, b)
		return
	}
	s.unsent.Add(-int32(len(b)))
	s.tell(b, "")
}

// pushOn goes on with what waits, or drops it if there is no link any more.
func (s *Session) pushOn() {
	for s.more != nil && len(s.more.pushed) > 0 && (s.line == nil || s.flags&sOver == 0) {
		b := s.more.pushed[0]
		if s.more.pushed = s.more.pushed[1:]; len(s.more.pushed) == 0 {
			s.more.pushed = nil
		}
		s.push(b)
	}
}

// Subscribe subscribes the session to a channel or pattern, from now on, whatever
// the hooks say. Its peer is told by a reply without id. To be subscribed already is no
// error. A subscription made so outlives the list that a client comes back with.
func (s *Session) Subscribe(channel string) error {
	if err := wire.CheckPattern(channel); err != nil {
		return err
	}
	return s.do(s.greeted(func(now time.Time) {
		if t := s.find(channel); t != nil {
			t.flags |= subPinned
			return
		}
		t, _ := s.subscribe(channel, subPinned)
		if s.line != nil {
			s.replySubscribed(now, s.line, 0, t, false)
		}
	}))
}

// Unsubscribe ends a subscription of the session, whoever made it. Its peer is told
// by a reply without id. Without one it does nothing.
func (s *Session) Unsubscribe(channel string) error {
	return s.do(s.greeted(func(time.Time) {
		if t := s.find(channel); t != nil {
			b := wire.AppendChannelReply(nil, 0, t.name())
			s.unsubscribe(t)
			s.tell(append(b, '}'), "")
		}
	}))
}

// greeted returns f as it is to be done on the loop: not before the peer is told
// connected, if it is about to be.
func (s *Session) greeted(f effect) effect {
	return func(now time.Time) {
		if s.more != nil && s.more.catch.greets {
			s.more.catch.later = append(s.more.catch.later, f)
		} else {
			f(now)
		}
	}
}

// Close ends the session for good: its link is closed with c, and cannot resume it.
func (s *Session) Close(c Close) error {
	return s.do(func(now time.Time) {
		l := s.line
		if l != nil {
			l.stand()
		}
		s.leaveLine()
		if l != nil {
			s.tellLater(l)
		}
		s.end(now, &c)
		if l != nil {
			l.close(c)
		}
	})
}

// do does something on the session's loop, if it has not ended.
func (s *Session) do(f func(now time.Time)) error {
	if s.closed.Load() {
		return ErrClosed
	}
	s.hub.loop.PostTask(effect(func(now time.Time) {
		if s.flags&sEnded == 0 {
			f(now)
		}
	}))
	return nil
}
