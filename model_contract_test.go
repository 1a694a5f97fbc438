package longwire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/longwire/longwire"
)

// A modelContract is what a link owes its client by P1 and P2. It is the reference:
// for each subscription of the link a number, up to which all was delivered or
// said to be missing, and what may come next follows from that and the log.
type modelContract struct {
	subs  map[string]*modelSub
	last  uint64 // the highest number of a subscription that is settled
	token uint64 // of the last id of an event stream
}

// A modelSub is one subscription on one link.
type modelSub struct {
	name    string
	start   modelStart
	at      string // the position where it stands, as it was told
	after   uint64 // what is not above was delivered, or is not owed
	to      uint64 // where the log was at the latest when it began
	begun   bool   // a position was told, or a message
	gapDue  bool   // a gap has to be told before a message
	lost    uint64 // of a pattern: the newest that was lost when it began, or when a gap was told
	settled bool   // it is live, or behind together with all the others: then order holds across them
}

// A modelMoment is a time, and where the log was then.
type modelMoment struct {
	at        time.Time
	head, fed uint64
}

func (m *model) now() modelMoment {
	return modelMoment{time.Now(), m.log.head(), m.log.told()}
}

// A modelStart is where a subscription was asked to begin, and when.
type modelStart struct {
	since  string
	kind   byte // 'n'ow, 'a'll, 'l'ast, 'd'uration, 'p'osition, 'x' is nonsense
	last   int
	age    time.Duration
	pos    modelPosition
	asked  modelMoment
	older  bool // it may go on from where it began, which is not that position
	within bool // when it was asked for, the position was within history
}

func (m *model) start(name, since string) modelStart {
	s := modelStart{since: since, kind: 'x', asked: m.now()}
	switch n, last := strings.CutPrefix(since, "last:"); {
	case since == "" || since == "now":
		s.kind = 'n'
	case since == "all":
		s.kind = 'a'
	case last:
		if s.last, _ = strconv.Atoi(n); s.last > 0 {
			s.kind = 'l'
		}
	default:
		if p, ok := parseModelPosition(since); ok {
			s.kind, s.pos = 'p', p
			s.within = m.within(name, p)
		} else if d, err := time.ParseDuration(since); err == nil && d > 0 {
			s.kind, s.age = 'd', d
		}
	}
	return s
}

// within reports whether a position is within a name's history just now.
func (m *model) within(name string, p modelPosition) bool {
	return p.epoch == m.log.epoch && p.number <= m.log.head() && m.broker.within(name, p)
}

// follows returns how many publications of n's own channel follow it, up to upTo.
func (m *model) follows(n, upTo uint64) int {
	return len(m.log.of(m.log.publication(n).Channel, n, upTo))
}

// owes reports whether a publication that was not delivered has to be. Where a
// subscription begins that nothing was heard of yet is not known.
func (m *model) owes(s *modelSub, n uint64) bool {
	if n <= s.lost && !m.isKept(s.name, n) {
		return false
	}
	if s.begun && (s.start.kind != 'l' || n > s.to || !isModelPattern(s.name)) {
		return true
	}
	switch s.start.kind {
	case 'n':
		return s.to > 0 && n > s.to
	case 'a':
		return m.isKept(s.name, n)
	case 'l':
		to := s.to
		if !s.begun {
			to = m.log.head()
		}
		return m.follows(n, to) < s.start.last && m.isKept(s.name, n)
	case 'd':
		return !m.log.publication(n).Time.Before(time.Now().Add(-s.start.age)) && m.isKept(s.name, n)
	}
	return true
}

// waive notes what of a pattern is lost, once that was told: it may be kept from one
// channel while newer things of another are not.
func (m *model) waive(s *modelSub) {
	if !isModelPattern(s.name) {
		return
	}
	kept := m.broker.kept(s.name, s.after, m.log.head())
	all := m.log.of(s.name, s.after, m.log.head())
	for len(all) > 0 && len(kept) > 0 && all[len(all)-1] == kept[len(kept)-1] {
		all, kept = all[:len(all)-1], kept[:len(kept)-1]
	}
	if len(all) > 0 {
		s.lost = max(s.lost, all[len(all)-1])
	}
}

func isModelPattern(name string) bool { return strings.ContainsAny(name, "*>") }

func (m *model) isKept(name string, n uint64) bool { return len(m.broker.kept(name, n-1, n)) > 0 }

// wanted reports whether a publication was asked for, as far as that is known. What
// the node had not been told of when it was asked comes as if it were published after.
func (m *model) wanted(s *modelSub, n uint64) bool {
	switch s.start.kind {
	case 'n':
		return n > s.start.asked.fed
	case 'l':
		return n > s.start.asked.fed || m.follows(n, s.start.asked.head) < s.start.last
	case 'd':
		return n > s.start.asked.fed || !m.log.publication(n).Time.Before(s.start.asked.at.Add(-s.start.age))
	}
	return true
}

// missing returns what is owed and was not delivered, up to a number.
func (m *model) missing(s *modelSub, upTo uint64) (list []uint64) {
	for _, n := range m.log.of(s.name, s.after, upTo) {
		if m.owes(s, n) {
			list = append(list, n)
		}
	}
	return list
}

// begins checks the position from which a subscription is said to go on.
func (l *modelLink) begins(name string, st modelStart, at string, gap bool) {
	m := l.m
	p := l.position(at)
	s := &modelSub{name: name, start: st, after: p.number, to: m.log.head()}
	l.subs[name] = s
	mustGap, mayGap := false, false
	switch st.kind {
	case 'p':
		now := m.within(name, st.pos)
		mayGap = !st.within || !now
		// Deleted history may be had for a while from what was just published.
		mustGap = !st.within && !now && (st.pos.epoch != m.log.epoch || st.pos.number > m.log.head())
		s.gapDue = gap
		switch {
		case !gap && p.number != st.pos.number:
			l.fail("%s goes on from %s, though %s was asked for and no gap was told", name, at, st.since)
		case st.older: // it may have gone on from elsewhere
		case gap && st.pos.epoch == m.log.epoch && p.number >= st.pos.number:
			l.notKept(name, st.pos.number, p.number)
		case gap:
			l.notKept(name, 0, p.number)
		}
	case 'n':
		if p.number < st.asked.fed {
			l.fail("%s begins at %s, but %d was there before it was asked for", name, at, st.asked.fed)
		}
	default:
		for _, n := range m.log.of(name, 0, p.number) {
			if m.owes(s, n) {
				l.fail("%s, since %s, begins at %s, behind %d", name, st.since, at, n)
			}
		}
		if next := m.log.of(name, p.number, m.log.head()); len(next) > 0 && !m.wanted(s, next[0]) && m.isKept(name, next[0]) {
			l.fail("%s, since %s, begins at %s, before %d", name, st.since, at, next[0])
		}
	}
	if mustGap && !gap {
		l.fail("%s, since %s, which is not within history, goes on from %s without a gap", name, st.since, at)
	}
	if gap && !mayGap {
		l.fail("%s, since %s, is said to have a gap, but there is none", name, st.since)
	}
	s.begun = true
	if gap || st.kind != 'n' && st.kind != 'p' {
		m.waive(s)
	}
}

// notKept wants nothing of a name that lies between two numbers to be kept.
func (l *modelLink) notKept(name string, after, upTo uint64) {
	if list := l.m.broker.kept(name, after, upTo); len(list) > 0 {
		l.fail("a gap of %s takes away %v, which are kept", name, list)
	}
}

// position takes apart a position that the server told.
func (l *modelLink) position(at string) modelPosition {
	p, ok := parseModelPosition(at)
	if !ok || p.epoch != l.m.log.epoch {
		l.fail("%q is no position", at)
	}
	if p.number > l.m.log.head() {
		l.fail("position %s is ahead of all that there is", at)
	}
	return p
}

// stands checks a position that was told for the whole link: nobody is to lose
// anything who comes back with it.
func (l *modelLink) stands(at, where string) uint64 {
	n := l.position(at).number
	for _, s := range l.subs {
		if l.due(s) {
			continue
		}
		if list := l.m.missing(s, n); len(list) > 0 {
			l.fail("%s tells %s, but %v of %s were not delivered", where, at, list, s.name)
		}
		if s.start.kind == 'n' && !s.begun {
			s.begun, s.to = true, l.m.log.head()
		}
		if n >= s.after {
			s.after, s.at = n, at
		}
	}
	// What one had and another was to get, or was told to be lost, may come again.
	if n+1 < l.last && l.settled() && !l.owing(l.last) {
		l.fail("%s tells %s, but %d was delivered already", where, at, l.last)
	}
	return n
}

// due reports whether a gap has to be told before anything else of a subscription.
// It need not if what a reader came with may have been a position meanwhile.
func (l *modelLink) due(s *modelSub) bool {
	if g := l.m.log; s.gapDue && !s.begun && s.start.pos.epoch == g.epoch && s.start.pos.number <= g.head() {
		s.gapDue, s.begun = false, true
	}
	return s.gapDue
}

// owing reports whether a subscription has not got something up to a number.
func (l *modelLink) owing(upTo uint64) bool {
	for _, s := range l.subs {
		if len(l.m.log.of(s.name, s.after, upTo)) > 0 { // owed or not
			return true
		}
	}
	return false
}

func (l *modelLink) settleAll() {
	for _, s := range l.subs {
		s.settled = true
	}
}

func (l *modelLink) settled() bool {
	for _, s := range l.subs {
		if !s.settled {
			return false
		}
	}
	return true
}

// message checks a message.
func (l *modelLink) message(f *modelFrame) {
	name := f.Sub
	if name == "" {
		name = f.Channel
	}
	s, n := l.subs[name], l.position(f.Position).number
	if s == nil {
		l.fail("a message of %s, to which there is no subscription", name)
	}
	p := l.m.log.publication(n)
	if p == nil || string(p.Position()) != f.Position {
		l.fail("there is no publication with position %s", f.Position)
	}
	l.same(f, p)
	due := l.due(s)
	switch list := l.m.missing(s, n-1); {
	case !modelMatches(name, p.Channel):
		l.fail("%d is of %s, which is not %s", n, p.Channel, name)
	case due:
		l.fail("%d of %s came before the gap that is due", n, name)
	case n <= s.after:
		l.fail("%d of %s came, but all up to %d was delivered", n, name, s.after)
	case len(list) > 0:
		l.fail("%d of %s came, but %v before it did not", n, name, list)
	case !l.m.wanted(s, n) && (!s.begun || s.start.kind == 'l'):
		l.fail("%d of %s came, which was not asked for by %s", n, name, s.start.since)
	case s.settled && n < l.last:
		l.fail("%d of %s came behind %d", n, name, l.last)
	}
	if s.settled {
		l.last = n
	}
	if !s.begun {
		s.begun, s.to = true, l.m.log.head()
		l.m.waive(s)
	}
	s.after, s.at = n, f.Position
}

// same wants a message to be its publication.
func (l *modelLink) same(f *modelFrame, p *longwire.Publication) {
	var data []byte
	switch {
	case f.Data64 != nil:
		data = f.Data64
	case f.Type == "text":
		var s string
		json.Unmarshal(f.Data, &s)
		data = []byte(s)
	default:
		data = f.Data
	}
	if !bytes.Equal(data, p.Data) || f.Channel != p.Channel || f.From != p.From || !maps.Equal(f.Headers, p.Headers) ||
		f.Time != p.Time.UTC().Format("2006-01-02T15:04:05.000Z") {
		l.fail("the message %+.200v is not the publication %+.200v", f, p)
	}
}

// gap checks a gap.
func (l *modelLink) gap(f *modelFrame) {
	s := l.subs[f.Channel]
	if s == nil {
		l.fail("a gap of %s, to which there is no subscription", f.Channel)
	}
	to := l.position(f.Position).number
	if f.After != s.start.since {
		l.due(s)
	}
	if !s.begun && s.gapDue { // a reader is told of no position before
		l.foreign(s, to)
		s.begun, s.after, s.at = true, to, f.Position
	}
	defer l.m.waive(s)
	if s.gapDue {
		s.gapDue = false
		if f.After != s.start.since && !s.start.older || to != s.after {
			l.fail("the gap of %s, since %s, from %s to %s; said was %d", s.name, s.start.since, f.After, f.Position, s.after)
		}
		return
	}
	from := l.position(f.After)
	switch {
	case to < from.number:
		l.fail("a gap of %s from %s back to %s", s.name, f.After, f.Position)
	case from.number < s.after || len(l.m.missing(s, from.number)) > 0:
		l.fail("a gap of %s from %s, but it stood at %d", s.name, f.After, s.after)
	case l.m.within(s.name, from):
		l.fail("a gap of %s from %s, which is within its history", s.name, f.After)
	}
	l.notKept(s.name, from.number, to)
	if !s.begun {
		s.begun, s.to = true, l.m.log.head()
	}
	s.after, s.at = to, f.Position
}

// foreign checks to where a gap goes for a reader that came with a position.
func (l *modelLink) foreign(s *modelSub, to uint64) {
	if s.start.within && l.m.within(s.name, s.start.pos) {
		l.fail("a gap of %s, since %s, which is within its history", s.name, s.start.since)
	}
	after := uint64(0)
	if s.start.pos.epoch == l.m.log.epoch && s.start.pos.number <= to {
		after = s.start.pos.number
	}
	l.notKept(s.name, after, to)
}

// complete wants everything to have been delivered.
func (l *modelLink) incomplete() string {
	head := l.m.log.head()
	for _, s := range l.subs {
		if list := l.m.missing(s, head); len(list) > 0 {
			return fmt.Sprintf("%v of %s, since %s, did not come; it stands at %d", list, s.name, s.start.since, s.after)
		}
		if l.due(s) {
			return fmt.Sprintf("the gap of %s did not come", s.name)
		}
	}
	return ""
}
