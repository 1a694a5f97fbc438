package longwire

import (
	"errors"
	"slices"
	"time"

	"github.com/longwire/longwire/wire"
)

// What history does not have waits for a subscription that is not live, within bounds: the
// messages are shared, and each policy of channels has a bound of its own, so that what may be dropped does
// not cost others their links. Policy says what happens at the bound. When the session is
// live again gaps tell what was dropped, then follows what waited, then what is published later. So each
// channel stays in order; history comes first, because it has waited longer.
//
// For a session without a link nothing waits: whoever comes back is told of a gap in any case.
type waiting struct {
	list    []waitingEvent // in the order in which they came
	loads   [policies]waitingLoad
	dropped map[*sub]uint64 // how many, to be told by gaps; nil mostly
}

// A waitingEvent is an event for a subscription.
type waitingEvent struct {
	sub    *sub
	e      *event
	policy Policy
	cost   int
}

// A waitingLoad is what waits by one policy.
type waitingLoad struct{ n, bytes int }

// What may wait by one policy, or for a hub that skips: as much as a link queues, or one message.
const (
	maxWaiting      = 64
	maxWaitingBytes = wire.MaxQueuedOut
)

func (l *waitingLoad) add(bytes int)    { l.n, l.bytes = l.n+1, l.bytes+bytes }
func (l *waitingLoad) remove(bytes int) { l.n, l.bytes = l.n-1, l.bytes-bytes }

func (l *waitingLoad) over() bool { return l.n > maxWaiting || l.bytes > maxWaitingBytes && l.n > 1 }

// passedBy sees to the entries that a subscription cannot be sent now. It reports whether history
// does not have some of them.
func (s *sub) passedBy(entries []entry) (loose bool) {
	for i := range entries {
		if e := &entries[i]; e.loose() {
			loose = true
			s.session.await(s, e)
		}
	}
	return loose
}

// await has an entry wait for a subscription.
func (s *Session) await(t *sub, e *entry) {
	if s.line == nil || s.line.deaf {
		t.flags |= subMissed
		return
	}
	w, x := &s.rare().waiting, waitingEvent{t, e.e, s.node.behind(e.e.p.Channel), e.m.cost()}
	if x.policy == KeepLatest {
		if i := slices.IndexFunc(w.list, x.follows); i >= 0 {
			s.lose(t, w.remove(i).policy, 1)
		}
	}
	for w.add(x); w.loads[x.policy].over(); {
		i := slices.IndexFunc(w.list, func(o waitingEvent) bool { return o.policy == x.policy })
		old := w.remove(i)
		s.lose(old.sub, old.policy, 1)
	}
}

// follows reports whether another is of the same channel, for the same subscription.
func (x *waitingEvent) follows(o waitingEvent) bool {
	return o.sub == x.sub && o.e.p.Channel == x.e.p.Channel
}

func (w *waiting) add(x waitingEvent) {
	w.list = append(w.list, x)
	w.loads[x.policy].add(x.cost)
}

func (w *waiting) remove(i int) waitingEvent {
	x := w.list[i]
	w.list = slices.Delete(w.list, i, i+1)
	w.loads[x.policy].remove(x.cost)
	return x
}

// lose notes that so many are not sent to a subscription that were to wait for it.
func (s *Session) lose(t *sub, p Policy, n uint64) {
	if s.line == nil || s.line.deaf {
		t.flags |= subMissed
		return
	}
	w := &s.rare().waiting
	if w.dropped == nil {
		w.dropped = map[*sub]uint64{}
	}
	w.dropped[t] += n
	s.node.dropped.Add(n)
	if p == Disconnect {
		s.line.close(Close{Code: wire.CodeSlowConsumer, Retry: backSoon()})
	}
}

// missed returns the gaps that tell what was dropped.
func (s *Session) missed(now time.Time) (gaps []gap) {
	w := &s.more.waiting
	for _, t := range s.subs {
		n := w.dropped[t]
		if n == 0 && t.flags&subMissed == 0 {
			continue
		}
		if t.flags&subMissed != 0 {
			n = 0 // and more, nobody knows how many
		}
		at := s.placeOf(t, now)
		gaps = append(gaps, gap{t, at, at, n})
	}
	return gaps
}

// sendWaiting sends what waits, once all subscriptions are live. What has no room waits on.
func (s *Session) sendWaiting(now time.Time) {
	w := &s.more.waiting
	for len(w.list) > 0 {
		x := &w.list[0]
		if err := s.send(s.laterMessage(now, x.sub, x.e)); err != nil {
			if errors.Is(err, ErrFull) {
				s.fallBehind(nil, 0)
			}
			return
		}
		w.remove(0)
	}
}

// laterMessage returns an event without a place as a live subscription gets it that stands further
// than those did who had it in time: its own position would take the peer back.
func (s *Session) laterMessage(now time.Time, t *sub, e *event) *Message {
	sub, at, whole := "", s.placeOf(t, now), Position("")
	if t.list.topic.pattern() {
		sub = t.name()
	}
	if s.flags&sToken != 0 && s.more.catching() == 0 {
		whole = s.position(now)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.frameAt(sub, at, whole)
}

// forget forgets what waits for a subscription, and what it was not sent.
func (w *waiting) forget(t *sub) {
	for i := len(w.list) - 1; i >= 0; i-- {
		if w.list[i].sub == t {
			w.remove(i)
		}
	}
	delete(w.dropped, t)
}

// giveUp forgets all, for a session that has no link any more: its subscriptions miss it.
func (w *waiting) giveUp() {
	for _, x := range w.list {
		x.sub.flags |= subMissed
	}
	for t := range w.dropped {
		t.flags |= subMissed
	}
	*w = waiting{}
}
