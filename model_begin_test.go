package longwire_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// maxModelSessions is how many sessions there are at once; more begin in place of others.
const maxModelSessions = 7

// newSession begins a session, by some way, subscribed to something or not.
func (m *model) newSession() {
	if len(m.sessions) >= maxModelSessions {
		s := m.sessions[0]
		m.sessions = m.sessions[1:]
		m.note("%v is left alone", s)
		for _, l := range s.links {
			l.drop(m.one(2))
		}
	}
	m.named++
	s := &modelSession{m: m, n: m.named, has: map[string]bool{}, made: map[string]bool{}, began: map[string][]uint64{}}
	if m.conf.hooks && m.one(2) {
		s.user = "ann"
	}
	m.sessions = append(m.sessions, s)
	way := modelPick(m, modelWays)
	l := m.sessionLink(way, s)
	o := ways.Options{Token: s.user, Bearer: s.user}
	switch {
	case m.one(3):
	case way.ByToken || way.Name == "ws" && m.one(2):
		since := m.usefulSince(nil)
		names := m.someNames()
		l.wish(names, func(string) string { return since })
		o.Query = "since=" + since
		for _, name := range names {
			o.Query += "&channel=" + name
		}
		if way.Name == "ws" {
			o.Token = ""
		}
	default:
		l.wish(m.someNames(), func(string) string { return m.since(nil) })
		o.Subscribe = l.resumed.json()
	}
	l.begin(o)
}

// usefulSince is a since that is no nonsense.
func (m *model) usefulSince(l *modelLink) string {
	for {
		if s := m.since(l); m.start("a", s).kind != 'x' {
			return s
		}
	}
}

func (m *model) someNames() []string {
	list := append([]string(nil), modelNames...)
	m.rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:1+m.rnd.IntN(4)]
}

// sessionLink makes a link, which is its session's from now on.
func (m *model) sessionLink(way ways.Way, s *modelSession) *modelLink {
	l := m.newLink(way.Name, s)
	l.way = way
	l.resumed.asked = m.now()
	s.links = append(s.links, l)
	if len(s.links) > 4 {
		s.links[0].drop(false)
		if s.links[0].way.Posts {
			s.posted = append(s.posted, s.links[0])
		}
		s.links = s.links[1:]
	}
	s.live = l
	return l
}

// wish notes what a link asks to be subscribed to.
func (l *modelLink) wish(names []string, since func(name string) string) {
	r := &l.resumed
	r.listed, r.list = true, map[string]modelStart{}
	for _, name := range names {
		r.list[name] = l.m.start(name, since(name))
	}
}

// json is the wishes as a connect frame has them.
func (r *modelResume) json() string {
	type wish struct {
		Channel string `json:"channel"`
		Since   string `json:"since,omitempty"`
	}
	list := []wish{}
	for name, st := range r.list {
		list = append(list, wish{name, st.since})
	}
	b, _ := json.Marshal(list)
	return string(b)
}

func (l *modelLink) begin(o ways.Options) {
	creds := ""
	if o.Resume != nil {
		creds = fmt.Sprintf(" resumes %s at %q", o.Resume.Session, o.Resume.Position)
	}
	l.m.note("%v of %v opens,%s %s %s", l, l.s, creds, o.Query, o.Subscribe)
	l.open(func(t testing.TB) (ways.Client, error) { return l.way.Open(t, &l.m.r.Server, &o) })
}

// resume has a session come back by some way, with what it knows.
func (m *model) resume() {
	s := modelPick(m, m.sessions)
	if s == nil || s.id == "" {
		return
	}
	m.comeBack(s)
}

// race has a session come back twice at once.
func (m *model) race() {
	s := modelPick(m, m.sessions)
	if s == nil || s.id == "" {
		return
	}
	m.comeBack(s)
	m.comeBack(s)
}

func (m *model) comeBack(s *modelSession) {
	base := s.live
	if !base.first || base.resumed.wrong || m.one(10) {
		base = nil
		for _, l := range s.links {
			if l.first && (base == nil || m.one(2)) {
				base = l
			}
		}
	}
	racing := false
	s.links = slices.DeleteFunc(s.links, func(l *modelLink) bool {
		if l.first || l.closed {
			return false
		}
		s.unsure = true // it may have come, unheard
		if l.lost() {
			return true
		}
		racing, l.racing = true, true // it may come after the new one
		return false
	})
	for _, l := range s.links {
		if l.opening() || l.way.Name == "poll" || !m.one(3) {
			m.cutOff(l, m.one(4)) // a client that polls on would take what is the new one's
		}
		l.causes[wire.CodeSuperseded] = true
		l.causes[wire.CodeSessionMoved] = true
	}
	way := modelPick(m, modelWays)
	for racing && way.Name == "poll" { // whose client might poll another's link
		way = modelPick(m, modelWays)
	}
	l := m.sessionLink(way, s)
	r := &l.resumed
	r.id, r.base = s.id, base
	if l.racing = racing; racing {
		l.causes[wire.CodeSuperseded] = true
		l.causes[wire.CodeSessionMoved] = true
		l.causes[wire.CodeBadRequest] = true // of a poll that acknowledges what was another's
	}
	o := ways.Options{Resume: &ways.Credentials{Session: s.id, Secret: s.secret}, Token: s.user, Bearer: s.user}
	l.positions(base, way, o.Resume)
	switch {
	case way.ByToken:
		o.Query = modelPick(m, []string{"", "channel=a&since=all"}) // as EventSource repeats it
		if o.Query != "" {
			// It counts if the session is gone.
			r.fresh = map[string]modelStart{"a": m.start("a", cmpOr(r.token, "now"))}
		}
	case r.listed:
		o.Subscribe = r.json()
	}
	if m.one(25) {
		r.wrong = true
		o.Resume.Secret = strings.Repeat("A", 22)
		l.causes[wire.CodeForbidden] = true
	}
	l.asked = r.token
	l.begin(o)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// positions says from where a link goes on.
func (l *modelLink) positions(base *modelLink, way ways.Way, o *ways.Credentials) {
	m, r := l.m, &l.resumed
	if base != nil {
		base.hear()
	}
	if !way.ByToken {
		if m.one(4) {
			return // all are kept, from now on
		}
		var names []string
		if base != nil {
			for name := range base.subs {
				if !m.one(8) {
					names = append(names, name)
				}
			}
		}
		if m.one(4) {
			for _, name := range m.someNames() {
				if base == nil || base.subs[name] == nil {
					names = append(names, name)
				}
			}
		}
		l.wish(names, func(name string) string {
			if base == nil || base.subs[name] == nil || m.one(10) {
				return m.since(nil)
			}
			return base.subs[name].at
		})
		return
	}
	switch {
	case m.one(6):
		return
	case m.one(8):
		r.token = m.anyPosition()
	case m.one(15):
		r.token = m.foreignPosition()
	case base == nil:
		return
	default:
		r.token = base.least()
		if t := base.eventID(); t != "" {
			r.token = t
		}
		r.tokenOf, r.asking = base, base.asking()
	}
	if r.token == "now" {
		r.token = ""
	}
	if r.token == "" {
		return
	}
	o.Position = r.token
	r.kept = map[string]modelStart{}
	for _, name := range modelNames {
		r.kept[name] = m.start(name, r.token)
	}
}

// asking returns what the link has asked to be subscribed to, and has not heard of, if a
// token does not resume that: see docs/protocol.md, section 5.4.1.
func (l *modelLink) asking() map[string]bool {
	list := map[string]bool{}
	if l.way.ByToken {
		return list
	}
	for _, r := range l.pending {
		if r.op == "subscribe" {
			list[r.channel] = true
		}
	}
	return list
}

// least returns the position of the subscription that is furthest behind, empty without one.
func (l *modelLink) least() (at string) {
	n := ^uint64(0)
	for _, s := range l.subs {
		if p, _ := parseModelPosition(s.at); p.number < n {
			n, at = p.number, s.at
		}
	}
	return at
}

// cutOff ends a link as a crash would, or as a tunnel.
func (m *model) cutOff(l *modelLink, vanish bool) {
	if l.over {
		return
	}
	l.hear()
	if l.s != nil && l.s.live == l && l.first && l.up() && l.free() && !l.idled() {
		l.s.alive = time.Now()
	}
	m.note("%v is cut; vanishes: %v", l, vanish)
	l.drop(vanish)
}

func (m *model) cut() {
	if l := m.linkOf(anyLink); l != nil {
		m.cutOff(l, false)
	}
}

func (m *model) vanish() {
	if l := m.linkOf(anyLink); l != nil {
		m.cutOff(l, true)
	}
}

// goodbye has a WebSocket say that its session is over.
func (m *model) goodbye() {
	l := m.linkOf(func(l *modelLink) bool { return !l.reader && l.way.Name == "ws" && l.s.live == l })
	if l == nil {
		return
	}
	m.note("%v says goodbye", l)
	l.s.ending = true
	for _, c := range []wire.Code{wire.CodeNormal, ""} {
		l.causes[c] = true
	}
	l.m.wg.Go(func() { l.c.(interface{ Bye() error }).Bye() })
}
