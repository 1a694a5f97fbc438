package longwire_test

import (
	"slices"
	"time"
)

// connected checks what begins or resumes a session.
func (l *modelLink) connected(f *modelFrame) {
	s, r := l.s, &l.resumed
	if l.first {
		l.fail("connected again")
	}
	l.first = true
	resumed := r.id != "" && f.Session == r.id
	l.sameSession(f, resumed)
	if r.base != nil && r.base != l {
		r.base.hear()
	}
	if !resumed && r.fresh != nil {
		r.list = r.fresh
	}
	maybe := s.uncertain(l)
	seen := map[string]bool{}
	for _, e := range f.Subscriptions {
		st, wished := r.list[e.Channel]
		if e.Error != nil {
			if !wished || st.kind != 'x' {
				l.fail("%s, since %s, was refused: %+v", e.Channel, st.since, e.Error)
			}
			continue
		}
		if seen[e.Channel] {
			l.fail("%s is there twice", e.Channel)
		}
		seen[e.Channel] = true
		if wished && st.kind == 'x' && (e.Channel == s.inbox() || resumed) {
			wished = false // the wish is refused, but it is there anyway
		}
		switch {
		case wished && st.kind == 'x':
			l.fail("%s, since %s, was taken", e.Channel, st.since)
		case wished:
			l.begins(e.Channel, st, e.Position, e.Gap)
		case resumed:
			l.kept(&e)
		case e.Channel == s.inbox() && r.token != "":
			l.begins(e.Channel, r.kept[e.Channel], e.Position, e.Gap)
		case e.Channel == s.inbox():
			l.begins(e.Channel, modelStart{kind: 'n', asked: r.asked}, e.Position, e.Gap)
		default:
			l.fail("%s was not asked for", e.Channel)
		}
		if resumed && !wished && !s.unsure && !l.racing && !s.has[e.Channel] && !maybe[e.Channel] {
			l.fail("%s is there, to which it was not subscribed", e.Channel)
		}
	}
	l.isAll(seen, maybe, resumed)
	l.settleNew()
	l.stands(f.Position, "connected")
	s.told, s.has, s.unsure = l, seen, l.racing // which of those that race came last is not known
}

// isAll checks that connected told of all subscriptions.
func (l *modelLink) isAll(seen, maybe map[string]bool, resumed bool) {
	s, r := l.s, &l.resumed
	for name, st := range r.list {
		if st.kind != 'x' && !seen[name] {
			l.fail("%s was asked for, and is not there", name)
		}
	}
	if in := s.inbox(); in != "" && !seen[in] && !resumed {
		l.fail("the inbox %s is not there", in)
	}
	if !resumed || r.listed || s.unsure || l.racing {
		return
	}
	for name := range s.has {
		if !seen[name] && !maybe[name] {
			l.fail("%s is not there any more", name)
		}
	}
}

// settleNew notes which subscriptions keep order among themselves from the start:
// those from now on do, and so do all others, together.
func (l *modelLink) settleNew() {
	now := 0
	for _, t := range l.subs {
		if t.settled = t.start.kind == 'n'; t.settled {
			now++
		}
	}
	if now == 0 {
		l.settleAll()
	}
}

// sameSession checks that the session is the one that was to be resumed, if it
// can be.
func (l *modelLink) sameSession(f *modelFrame, resumed bool) {
	s, r, m := l.s, &l.resumed, l.m
	window := m.conf.window
	switch {
	case r.id == "":
	case resumed && r.wrong:
		l.fail("the session was resumed with wrong credentials")
	case resumed && s.id == r.id && s.closed > 0 && l.n > s.closed:
		l.fail("the session was resumed, though it had ended")
	case !resumed && s.id == r.id && !s.ending && time.Since(s.alive) < window:
		l.fail("the session was not there any more %v after it was for sure", time.Since(s.alive))
	}
	if !resumed {
		s.unsure, s.ending, s.closed, s.posted = false, false, 0, nil
		s.has, s.made = map[string]bool{}, map[string]bool{}
	}
	s.id, s.secret = f.Session, f.Secret
	s.alive = l.birth // it may have ended since
}

// kept checks a subscription that goes on as it was.
func (l *modelLink) kept(e *modelEntry) {
	r := &l.resumed
	switch {
	case r.token != "":
		st, ok := r.kept[e.Channel]
		if !ok {
			st = l.m.start(e.Channel, r.token)
		}
		l.olderThan(&st, e)
		l.begins(e.Channel, st, e.Position, e.Gap)
	case !e.Gap:
		l.fail("%s goes on at %s, wherever its client stands, and no gap is told", e.Channel, e.Position)
	default:
		l.begins(e.Channel, modelStart{kind: 'n', asked: r.asked}, e.Position, false)
	}
	if r.tokenOf == nil || e.Gap || r.asking[e.Channel] {
		return
	}
	if b := r.tokenOf.subs[e.Channel]; b != nil {
		if list := l.m.missing(b, l.subs[e.Channel].after); len(list) > 0 {
			l.fail("%s goes on at %s without a gap, but %v did not come on %v", e.Channel, e.Position, list, r.tokenOf)
		}
	}
}

// olderThan has a subscription go on from where a frame has made it, if the token
// is older or did not speak of it.
func (l *modelLink) olderThan(st *modelStart, e *modelEntry) {
	at, _ := parseModelPosition(e.Position)
	began := l.s.began[e.Channel]
	unheard := l.s.uncertain(l)[e.Channel]
	if st.pos.epoch != l.m.log.epoch || len(began) == 0 && !unheard {
		return
	}
	st.within, st.older = st.within && !e.Gap, true
	if !e.Gap && (unheard || slices.Contains(began, at.number)) {
		st.pos.number = at.number
	}
}

// uncertain returns the names of which the model does not know whether the server
// has taken up what it was asked.
func (s *modelSession) uncertain(now *modelLink) map[string]bool {
	maybe := map[string]bool{}
	for name := range s.made {
		maybe[name] = true
	}
	for _, l := range slices.Concat(s.posted, s.links) {
		if l == now {
			continue
		}
		l.mu.Lock()
		for _, r := range l.pending {
			if !r.void && (r.op == "subscribe" || r.op == "unsubscribe") {
				maybe[r.channel] = true
			}
		}
		l.mu.Unlock()
	}
	return maybe
}

func (s *modelSession) inbox() string {
	if s.user == "" {
		return ""
	}
	return "@" + s.user
}
