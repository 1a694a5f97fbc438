package longwire

import (
	"errors"

	"github.com/longwire/longwire/wire"
)

// A sub is one subscription of one session. It belongs to the session's loop.
//
// It is live, or catching up: then the fan-out passes it by, and catchup.go
// brings it to where it can be live again. A publication whose number is not
// above after is not for it: it had it, or does not want it.
type sub struct {
	list    *list // nil once it has ended
	session *Session
	after   uint64
	index   int32 // in list.subs
	flags   uint8
}

const (
	subCatching = 1 << iota // is not live
	subReading              // catches up, and takes part in the read that is under way
	subPinned               // made by the server: a client's list does not replace it
	subMissed               // missed what history does not have, while there was no link
)

func (s *sub) name() string  { return s.list.topic.name }
func (s *sub) catches() bool { return s.flags&subCatching != 0 }
func (s *sub) reads() bool   { return s.flags&subReading != 0 }

// deliver hands a live subscription a run of its list, which is a part of the hub's
// batch. It reports whether there was something to do.
func (s *sub) deliver(at, end int, joined []*Message) bool {
	ss := s.session
	batch := ss.hub.batch
	if ss.line == nil || s.flags&subCatching != 0 {
		return s.passedBy(batch[at:end])
	}
	if len(joined) == 1 && s.wants(batch[at:end]) && ss.flags&sTailed == 0 && ss.more.catching() == 0 && !ss.again(end-1) {
		if ss.send(joined[0]) == nil {
			return true
		}
	}
	for i := at; i < end; i++ {
		e := &batch[i]
		if e.number <= s.after && !e.loose() {
			continue
		}
		var err error
		switch {
		case ss.again(i):
			err = ss.sendTogether(i)
		case e.number < s.after: // it went ahead
			err = ss.send(ss.laterMessage(ss.hub.loop.Now(), s, e.e))
		default:
			err = ss.send(ss.tokened(e.m))
		}
		if err != nil {
			if errors.Is(err, ErrFull) {
				s.passedBy(batch[i:end])
				ss.fallBehind(s, e.before())
			}
			return true
		}
	}
	return true
}

// wants reports whether a live subscription is to get a whole run as it is.
func (s *sub) wants(run []entry) bool {
	first, last := &run[0], &run[len(run)-1]
	return s.after < first.number || s.after == last.number && first.number == last.number && first.loose() // so all are
}

// subscribe makes a subscription, at the end of the list of its name. What is
// published with a number above the returned one will come to it.
func (s *Session) subscribe(name string, flags uint8) (*sub, uint64) {
	n := s.node
	l := n.index.join(name, s.hub)
	t := &sub{list: l, session: s, index: int32(len(l.subs)), flags: flags}
	l.subs = append(l.subs, t)
	n.index.add(l, 1)
	s.subs = append(s.subs, t)
	if s.byName != nil {
		s.byName[name] = t
	} else if len(s.subs) > fewSubs {
		s.byName = make(map[string]*sub, 2*fewSubs)
		for _, t := range s.subs {
			s.byName[t.name()] = t
		}
	}
	t.after = n.looking.Load() // after join: what is looked up later finds l
	return t, t.after
}

// fewSubs are found by looking at each.
const fewSubs = 8

func (s *Session) find(name string) *sub {
	if s.byName != nil {
		return s.byName[name]
	}
	for _, t := range s.subs {
		if t.name() == name {
			return t
		}
	}
	return nil
}

// unsubscribe ends a subscription.
func (s *Session) unsubscribe(t *sub) {
	s.more.forget(t)
	for i, o := range s.subs {
		if o == t {
			last := len(s.subs) - 1
			s.subs[i], s.subs[last] = s.subs[last], nil
			s.subs = s.subs[:last]
			break
		}
	}
	if s.byName != nil {
		delete(s.byName, t.name())
	}
	t.leave()
}

// leave takes s out of its list. The last takes its place, and if the list is
// being handed something the border between those who had it and those who did
// not must not be crossed.
func (s *sub) leave() {
	l := s.list
	i, last := int(s.index), len(l.subs)-1
	if s.index < l.next {
		l.next--
		l.put(i, l.subs[l.next])
		i = int(l.next)
	}
	l.put(i, l.subs[last])
	l.subs[last] = nil
	l.subs = l.subs[:last]
	s.list = nil
	x := &s.session.node.index
	x.add(l, -1)
	if last == 0 {
		x.leave(l)
	}
}

func (l *list) put(i int, s *sub) {
	l.subs[i] = s
	s.index = int32(i)
}

// matches reports whether a channel is the topic, or one of the pattern.
func (t *topic) matches(channel string) bool {
	return t.name == channel || t.pattern() && wire.Matches(t.name, channel)
}
