package longwire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// A modelSession is a client that wants one session, whatever links come and go.
type modelSession struct {
	m          *model
	n          int
	user       string
	id, secret string // of the last connected
	live       *modelLink
	links      []*modelLink        // those that may be heard of, the newest last
	posted     []*modelLink        // older ones, of which what was posted may be taken up yet
	has        map[string]bool     // what the server has it subscribed to, as far as was heard
	told       *modelLink          // whose connected that is from; what an older one is late to tell changes nothing
	made       map[string]bool     // what the server made or ended by itself, now or soon
	unsure     bool                // nothing is known of that
	began      map[string][]uint64 // where subscriptions began that frames have made
	ending     bool                // it was told to end, or said goodbye
	closed     int                 // by the server, which links beyond this number cannot have come before; zero if not
	alive      time.Time           // when it was there for sure
}

func (s *modelSession) String() string { return fmt.Sprintf("session %d", s.n) }

// A modelResume is how a link wants to begin.
type modelResume struct {
	id      string // of the session; empty for a new one
	base    *modelLink
	token   string                // a position for all; empty for none
	kept    map[string]modelStart // with a token: where what was kept goes on
	fresh   map[string]modelStart // what the address asks for, if the session is gone
	tokenOf *modelLink
	asking  map[string]bool // what that had asked to be subscribed to, and not heard of
	listed  bool
	list    map[string]modelStart // what is asked for, if listed
	wrong   bool                  // with a wrong secret
	asked   modelMoment
}

// modelPad is what makes data long.
var modelPad = regexp.MustCompile(`x{4,}|(eHh4){4,}`)

func (r modelResume) String() string {
	return fmt.Sprintf("which resumes %q with %q and %s, from %v", r.id, r.token, r.json(), r.base)
}

// hear takes in what the link has heard.
func (l *modelLink) hear() {
	if l.closed {
		return
	}
	l.mu.Lock()
	opened, refused := l.opened, l.refused
	l.mu.Unlock()
	if !opened {
		return
	}
	if refused != nil {
		l.end(refused)
		return
	}
	l.noteOpen()
	l.mu.Lock()
	ended := l.ended // before what was heard is taken: then that is all
	l.mu.Unlock()
	for _, h := range l.take() {
		l.frame(h)
	}
	if ended != nil && !l.over {
		l.end(ended)
	}
}

type modelHeadered interface{ Header() http.Header }

// noteOpen takes in what the response's header says.
func (l *modelLink) noteOpen() {
	if l.isOpen {
		return
	}
	l.isOpen = true
	at := ""
	if h, ok := l.c.(modelHeadered); ok && l.reader {
		at = h.Header().Get("Longwire-Position")
		l.m.note("%v is open at %q", l, at)
	}
	for _, s := range l.subs {
		switch {
		case s.begun:
		case s.start.kind == 'n' && at != "":
			l.begins(s.name, s.start, at, false)
		default:
			s.to = l.m.log.head()
		}
	}
}

func (l *modelLink) frame(h modelHeard) {
	text := h.text
	l.recent = append(l.recent, modelPad.ReplaceAllString(text, "…")+"  "+h.id)
	if len(l.recent) > 40 {
		l.recent = l.recent[1:]
	}
	f := &modelFrame{}
	if err := json.Unmarshal([]byte(text), f); err != nil {
		l.fail("heard %.200q: %v", text, err)
	}
	if !l.first && f.Op != "connected" && !(f.Op == "error" && l.resumed.wrong) {
		l.fail("heard %.200s before connected", text)
	}
	if p, ok := parseModelPosition(f.Position); ok {
		l.m.until(p.number)
	}
	switch f.Op {
	case "connected":
		l.connected(f)
	case "reply":
		l.reply(f)
	case "error":
		l.refusal(f)
	case "pong":
		l.answer(f)
	case "message":
		l.message(f)
	case "gap":
		l.gap(f)
	case "ping":
		if f.Position != "" {
			l.stands(f.Position, "a ping")
		}
	case "send":
	default:
		l.fail("heard %.200s", text)
	}
	if at, _, _ := strings.Cut(h.id, "/"); at != "" && strings.HasPrefix(l.what, "sse") && h.id != l.lastID && at != l.asked {
		l.lastID = h.id
		l.token = l.stands(at, "an event id")
	}
}

// end takes in that the link has ended.
func (l *modelLink) end(err error) {
	l.closed = true
	code := wire.Code("")
	if e, ok := errors.AsType[*ways.End](err); ok {
		code = e.Code
	} else if e, ok := errors.AsType[*wire.Error](err); ok {
		code = e.Code
	}
	if l.idled() {
		for _, c := range []wire.Code{wire.CodeIdleTimeout, wire.CodeSessionMoved, wire.CodeLost} {
			l.causes[c] = true
		}
	}
	if len(l.causes) > 0 {
		l.causes[""] = true
	}
	if time.Since(l.birth) > 48*time.Minute {
		l.causes[wire.CodeLifetime] = true
	}
	l.m.note("%v has ended: %v", l, err)
	if !l.causes[code] {
		l.fail("ended: %v", err)
	}
	l.drop(false)
}

// idled reports whether the link was not read for so long that the server may have
// taken it for dead.
func (l *modelLink) idled() bool {
	if !l.stalled.IsZero() {
		l.wasStalled = time.Now()
		l.wasIdle = l.wasIdle || time.Since(l.stalled) > 8*time.Second
	}
	return l.wasIdle || time.Since(l.wasStalled) < wire.DeadAfter+time.Second
}

// answer finds the request that is answered.
func (l *modelLink) answer(f *modelFrame) *modelRequest {
	if r := l.calls[f.ID]; r != nil {
		delete(l.calls, f.ID)
		return r
	}
	l.mu.Lock()
	for i, r := range l.pending {
		if r.id != f.ID {
			continue
		}
		for _, o := range l.pending[:i] {
			if !o.void {
				l.mu.Unlock()
				l.fail("%d was answered before %d, %s", f.ID, o.id, o.text)
			}
		}
		l.pending = append(l.pending[:i:i], l.pending[i+1:]...)
		l.mu.Unlock()
		return r
	}
	l.mu.Unlock()
	for _, o := range slices.Concat(l.s.posted, l.s.links) { // what was posted for an earlier link
		if r := o.calls[f.ID]; r != nil && o.way.Posts {
			delete(o.calls, f.ID)
			return r
		}
		for i, r := range o.pending {
			if r.id == f.ID && o.way.Posts && o != l {
				o.pending = append(o.pending[:i:i], o.pending[i+1:]...)
				return r
			}
		}
	}
	l.fail("an answer to %d, which was not asked, or was answered", f.ID)
	return nil
}

// note notes what a link has told of the subscriptions that the server has.
func (s *modelSession) note(l *modelLink, channel string, has bool) {
	switch {
	case s.told != l:
	case has:
		s.has[channel] = true
	default:
		delete(s.has, channel)
	}
}

// reply checks a reply.
func (l *modelLink) reply(f *modelFrame) {
	s := l.s
	if f.ID == 0 { // of what the server did by itself
		if f.Position == "" {
			delete(l.subs, f.Channel)
			s.note(l, f.Channel, false)
			return
		}
		if l.subs[f.Channel] != nil {
			l.fail("the server subscribed to %s again", f.Channel)
		}
		l.begins(f.Channel, modelStart{kind: 'n'}, f.Position, f.Gap)
		s.note(l, f.Channel, true)
		s.began[f.Channel] = append(s.began[f.Channel], l.subs[f.Channel].after)
		return
	}
	r := l.answer(f)
	if f.Channel != r.channel {
		l.fail("%s was answered for %q", r.text, f.Channel)
	}
	switch r.op {
	case "subscribe":
		if r.bad != "" || l.subs[r.channel] != nil {
			l.fail("%s was answered, though it should have been refused", r.text)
		}
		l.begins(r.channel, r.start, f.Position, f.Gap)
		s.note(l, r.channel, true)
		s.began[r.channel] = append(s.began[r.channel], l.subs[r.channel].after)
	case "unsubscribe":
		if l.subs[r.channel] == nil {
			l.fail("%s was answered, though there was no subscription", r.text)
		}
		delete(l.subs, r.channel)
		s.note(l, r.channel, false)
	case "publish":
		l.m.published(r.channel, r.data, r.key, f.Position, nil)
	case "call":
	case "history":
		l.m.history(l, r, f)
	default:
		l.fail("a reply to %s", r.text)
	}
}

// refusal checks an error.
func (l *modelLink) refusal(f *modelFrame) {
	if f.ID == 1 && !l.first { // of connect
		if f.Code != string(wire.CodeForbidden) {
			l.fail("connect was refused: %+v", f)
		}
		return
	}
	r := l.answer(f)
	ok := f.Code == r.bad
	switch wire.Code(f.Code) {
	case wire.CodeAlreadySubscribed:
		ok = r.op == "subscribe" && l.subs[r.channel] != nil
	case wire.CodeNotSubscribed:
		// The program may have ended it while history was asked where it begins.
		ok = r.op == "unsubscribe" && l.subs[r.channel] == nil || r.op == "subscribe" && l.s.made[r.channel]
	case wire.CodeInternal:
		ok = ok || r.op == "history" && l.m.conf.failFor > 0
	case wire.CodeKeyReused:
		ok = r.op == "publish" && r.key != ""
		if ok {
			l.m.published(r.channel, r.data, r.key, "", &wire.Error{Code: wire.CodeKeyReused})
		}
	}
	if !ok {
		l.fail("%s was refused: %s %s", r.text, f.Code, f.Message)
	}
}
