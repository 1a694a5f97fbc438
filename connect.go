package longwire

import (
	"crypto/rand"
	"crypto/subtle"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/longwire/longwire/wire"
)

// A connecting is a wish to begin or to resume a session: a connect frame, what
// the address of a request says, or nothing, where a link just begins.
type connecting struct {
	id      uint64 // of the frame
	told    bool   // `connected` is to be sent
	token   string
	name    string
	version int
	session string // to resume
	secret  string
	byID    bool // of an event: what the session was subscribed to goes on from there
	listed  bool // wishes replaces what the client was subscribed to
	wishes  []wish
	named   map[string]bool // names of wishes: whether they are not refused
	from    since           // of those that are kept; now is with a gap
	err     error           // of what could not be read
}

// A wish is a subscription that is asked for.
type wish struct {
	name string
	from since
	err  error
}

// newConnecting reads a connect frame whose list has so many entries at most.
func newConnecting(f *wire.Frame, most int) *connecting {
	c := &connecting{id: f.ID, told: true, token: string(f.Token), name: string(f.Name), version: f.Version,
		session: string(f.Session), secret: string(f.Secret), listed: f.Subscribe != nil}
	for e, err := range f.Subscriptions() {
		if err == nil && len(c.wishes) == most {
			err = errTooMany(most)
		}
		if err != nil {
			c.err = err
			return c
		}
		c.add(string(e.Channel), string(e.Since))
	}
	return c
}

func (c *connecting) add(name, from string) {
	w := wish{name: name}
	if w.from, w.err = parseSince(from); w.err == nil {
		w.err = wire.CheckPattern(name)
	}
	if _, twice := c.named[name]; twice {
		w.err = &wire.Error{Code: wire.CodeAlreadySubscribed}
	} else {
		if c.named == nil {
			c.named = make(map[string]bool)
		}
		c.named[name] = w.err == nil
	}
	c.wishes = append(c.wishes, w)
}

// open begins the session of a link that came with an address which says
// something, or whose client cannot speak first.
func (l *line) open(now time.Time) error {
	info := l.link.Info()
	if info.Target == "" {
		return nil
	}
	u, err := url.ParseRequestURI(info.Target)
	if err != nil {
		return wire.Errorf(wire.CodeBadRequest, "this address cannot be understood")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return wire.Errorf(wire.CodeBadRequest, "the query of this address cannot be understood")
	}
	c := &connecting{told: true, listed: q.Has("channel")}
	from := q.Get("since")
	if id := info.Header.Get("Last-Event-Id"); id != "" {
		at, session, secret, ok := parseEventID(id)
		if !ok {
			return refuseEventID(info)
		}
		c.session, c.secret, c.byID, from = session, secret, session != "", at
	}
	for _, name := range q["channel"] {
		c.add(name, from)
	}
	if c.from, err = parseSince(from); err != nil {
		return err
	}
	s := l.s
	switch info.Transport {
	case "poll":
		s.flags |= sPolled
		s.hub.loop.PostTask(effect(func(now time.Time) { // behind the frames that came with the request
			if !l.late && !l.deaf {
				l.late = true
				l.connect(now, &connecting{told: true})
			}
		}))
		return nil
	case "ws":
		s.flags |= sWebSocket
		if !c.listed {
			return nil
		}
	case "sse":
		s.flags |= sToken | sTailed | sStream
	case "ndjson":
		s.flags |= sStream
	}
	for _, w := range c.wishes {
		if w.err != nil {
			return w.err
		}
	}
	l.late = true
	l.connect(now, c)
	return nil
}

// bearer returns the token of an Authorization header.
func bearer(h Header) string {
	scheme, token, ok := strings.Cut(h.Get("Authorization"), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// parseEventID takes an id of an SSE stream apart: POSITION/SESSION.SECRET. One of
// the two may be missing: clients of sessions that have a position for each
// subscription say none here, and readers have no session. Whether there is such a
// session is not looked at.
func parseEventID(s string) (at, session, secret string, ok bool) {
	at, creds, named := strings.Cut(s, "/")
	if _, ok = parsePosition(at); !named {
		return at, "", "", ok
	}
	session, secret, whole := strings.Cut(creds, ".")
	return at, session, secret, whole && (ok || at == "")
}

// refuseEventID refuses a link for its Last-Event-ID. An EventSource may come again,
// and is made to leave the id out then: another refusal would stop it for good.
func refuseEventID(info *LinkInfo) error {
	c := &Close{Code: wire.CodeBadRequest, Reason: "Last-Event-ID is the last id of a stream of this address; leave it out to begin anew"}
	if info.Transport == "sse" {
		c.Retry = backSoon()
	}
	return c
}

func (t *token) make() {
	if *t == (token{}) {
		_, _ = rand.Read(t[:])
	}
}

// resumable returns the session that a connecting names, if it is on this node
// and the secret is right.
func (n *Node) resumable(c *connecting) *Session {
	id, ok1 := parseToken(c.session)
	secret, ok2 := parseToken(c.secret)
	if !ok1 || !ok2 {
		return nil
	}
	s := n.sessions.find(id)
	if s == nil || subtle.ConstantTimeCompare(s.secret[:], secret[:]) != 1 {
		return nil
	}
	return s
}

// connect asks the hooks, if there are any, and begins or resumes a session.
func (l *line) connect(now time.Time, c *connecting) {
	s, n := l.s, l.s.node
	h := &n.opts.Handler
	if c.err != nil {
		l.refuse(c, c.err)
		return
	}
	if h.Connect == nil && (h.Subscribe == nil || len(c.wishes) == 0) {
		l.enter(now, c, nil)
		return
	}
	s.flags |= sBusy
	s.hub.loop.Go(&asking{l: l, c: c})
}

// An asking is a connecting with the hooks.
type asking struct {
	l    *line
	c    *connecting
	peer *Peer
	err  error
}

// Work asks.
func (a *asking) Work() {
	s, c := a.l.s, a.c
	n, h := s.node, &s.node.opts.Handler
	if h.Connect != nil {
		r := &ConnectRequest{Token: c.token, Name: c.name, Link: a.l.link.Info()}
		if r.Token == "" {
			r.Token = bearer(r.Link.Header) // of the request that opened the link
		}
		a.err = n.survive(func() (err error) { a.peer, err = h.Connect(n.ctx, r); return err })
	}
	if a.err == nil && h.Subscribe != nil && len(c.wishes) > 0 {
		as := s // hooks see who asks before the session has begun
		if o := n.resumable(c); o != nil {
			as = o
		} else {
			s.peer.Store(a.peer)
		}
		for i := range c.wishes {
			if w := &c.wishes[i]; w.err == nil {
				w.err = n.survive(func() error { return h.Subscribe(n.ctx, as, w.name) })
				c.named[w.name] = w.err == nil
			}
		}
	}
	s.hub.loop.PostTask(a)
}

// Run goes on with what they said.
func (a *asking) Run(now time.Time) {
	s := a.l.s
	s.flags &^= sBusy
	if a.l.deaf || s.line != a.l {
		return
	}
	if a.err != nil {
		a.l.refuse(a.c, a.err)
		return
	}
	a.l.enter(now, a.c, a.peer)
}

// refuse tells that there will be no session, and closes the link.
func (l *line) refuse(c *connecting, err error) {
	s := l.s
	e := s.node.errorOf(err)
	if c.id != 0 {
		s.refuse(l, c.id, e)
	}
	l.close(Close{Code: e.Code, Reason: e.Message, Retry: e.Retry})
}

// enter brings the line to its session, which may be another than it has, and on
// another loop.
func (l *line) enter(now time.Time, c *connecting, p *Peer) {
	s, n := l.s, l.s.node
	if c.session == "" {
		l.begin(now, c, p)
		return
	}
	o := n.resumable(c)
	switch {
	case o == nil && n.knows(c.session):
		l.refuse(c, errSecret)
		return
	case o == nil || o == s:
		l.begin(now, c, p)
		return
	case userOf(p) != o.Peer().User:
		l.refuse(c, errForeignUser)
		return
	case o.hub == s.hub:
		o.attach(now, l, c, p)
		return
	}
	m, ok := l.link.(mover)
	if !ok {
		l.begin(now, c, p) // a stream whose session moved while it came
		return
	}
	s.line = nil
	m.Move(o.hub.loop, func(now time.Time) { o.attach(now, l, c, p) })
}

var (
	errSecret      = wire.Errorf(wire.CodeForbidden, "the secret is not this session's; connect without session and secret for a new one")
	errForeignUser = wire.Errorf(wire.CodeForbidden, "the session is another user's; connect without session and secret for a new one")
)

// knows reports whether a session of that id is here.
func (n *Node) knows(session string) bool {
	id, ok := parseToken(session)
	return ok && n.sessions.find(id) != nil
}

// begin begins the line's session.
func (l *line) begin(now time.Time, c *connecting, p *Peer) {
	s := l.s
	s.flags |= sBegun
	s.began = now.Sub(s.node.began)
	s.id.make()
	s.secret.make()
	if p != nil {
		s.peer.Store(p)
	}
	s.node.sessions.add(s)
	if s.node.ending.Load() { // it began to end after the link was taken; Drain may have looked before
		s.flags &^= sBegun
		s.node.sessions.remove(s)
		l.refuse(c, s.node.goAway(0))
		return
	}
	if in := s.inboxOf(); in != "" {
		s.subscribe(in, subPinned)
	}
	s.settle(now, l, c)
}

// attach gives the session a new link. The one that it has, if any, ends: the
// newer wins.
func (s *Session) attach(now time.Time, l *line, c *connecting, p *Peer) {
	if s.flags&sEnded != 0 { // while the line came, or before
		n := s.node.newSession(s.hub, l)
		n.takeOver(l)
		l.s = n
		l.begin(now, c, p)
		return
	}
	s.takeOver(l)
	if p != nil {
		s.peer.Store(p) // the same user, as the hook knows it now
	}
	if old := s.line; old != nil {
		s.leaveLine()
		old.close(Close{Code: wire.CodeSuperseded})
	}
	s.stopWaiting()
	s.line, l.s = l, s
	if p, ok := l.link.(polled); ok && s.more != nil {
		p.NumberOn(s.more.number)
	}
	if c.byID {
		c.listed, c.wishes, c.named = false, nil, nil // the address is as it was when the session began
	}
	for _, t := range s.subs {
		s.catch(t, s.node.looking.Load()) // held until `connected` is on its way
	}
	s.settle(now, l, c)
}

// takeOver takes what the session that a line came with knows of the link, and the
// frames that came behind the connect.
func (s *Session) takeOver(l *line) {
	o := l.s
	if o == s {
		return
	}
	s.flags = s.flags&^ofLink | o.flags&ofLink
	o.line = nil
	if o.more != nil && o.more.queue != nil {
		for _, it := range o.more.queue.items {
			s.enqueue(it.l, o.more.queue.buf[:it.n], it.refused)
			o.more.queue.buf = o.more.queue.buf[it.n:]
		}
		o.more.queue = nil
	}
}

// setTail has the ids of an event stream name the session.
func (s *Session) setTail(l *line) {
	if t, ok := l.link.(tailed); ok && s.flags&sTailed != 0 {
		t.SetTail(s.id.String() + "." + s.secret.String())
	}
}

// settle makes the subscriptions as the client wants them, and tells it so.
func (s *Session) settle(now time.Time, l *line, c *connecting) {
	s.setTail(l)
	var list []settled
	if c.listed {
		s.drop(c)
	}
	for _, t := range s.subs {
		switch {
		case c.named[t.name()]:
		case c.listed && !c.byID || c.from.now(): // from now on: a session that was here before missed something
			list = append(list, settled{t: t, gap: s.flags&sKnown != 0, name: t.name()})
		default:
			list = append(list, settled{t: t, name: t.name()})
			s.startAt(t, s.goesOn(t, c.from))
		}
	}
	for _, w := range c.wishes {
		list = append(list, s.grant(w))
	}
	if !c.told {
		s.catchUp(now)
		s.goOn(now)
		return
	}
	then := func(now time.Time, gaps []gap) { s.connected(now, l, c, list, gaps) }
	if s.flags&sHeld != 0 {
		s.greetLater(then)
	} else {
		then(now, nil)
	}
	if s.flags&sStream != 0 && s.more.catching() > 0 {
		s.catchUpLater() // the header of the response says first where it begins
	} else {
		s.catchUp(now)
	}
	s.goOn(now)
}

// greetLater has the peer told connected when history has said where its
// subscriptions begin. Nothing is delivered before, to those either that begin now.
func (s *Session) greetLater(then func(now time.Time, gaps []gap)) {
	c := &s.rare().catch
	c.then, c.greets = then, true
	for _, t := range s.subs {
		if !t.catches() {
			s.catch(t, t.after)
		}
	}
}

// drop ends the subscriptions that a client's list does not have any more.
func (s *Session) drop(c *connecting) {
	for _, t := range slices.Clone(s.subs) {
		if t.flags&subPinned == 0 && !c.named[t.name()] {
			s.unsubscribe(t)
		}
	}
}

// A settled is a wish, and what became of it.
type settled struct {
	name string
	t    *sub // nil with an error
	gap  bool
	err  error
}

func (s *Session) grant(w wish) settled {
	t := s.find(w.name)
	err := w.err
	if err == nil && t == nil {
		err = s.maySubscribe(w.name)
	}
	switch {
	case err != nil:
		return settled{name: w.name, err: err}
	case t != nil:
		s.startAt(t, w.from)
	default:
		t, _ = s.subscribeSince(w.name, w.from)
	}
	return settled{name: w.name, t: t}
}

// connected sends the frame that begins or resumes a session.
func (s *Session) connected(now time.Time, l *line, c *connecting, list []settled, gaps []gap) {
	s.flags |= sKnown
	o := &s.node.opts
	at := s.position(now)
	f := &wire.Connected{
		ID: c.id, Session: s.id.String(), Secret: s.secret.String(), Position: string(at), Version: 1,
		Limits: wire.Limits{
			Message: o.MaxMessage, Frame: wire.MaxFrame(o.MaxMessage), Subscriptions: o.MaxSubscriptions,
			Rate: max(0, o.Rate), KeyWindow: keyWindow, ResumeWindow: max(0, o.ResumeWindow),
		},
		Ping: wire.PingAfter,
	}
	if s.flags&sStream != 0 {
		f.Ping = wire.StreamPingAfter
	}
	for _, e := range list {
		d := wire.Subscribed{Channel: e.name, Gap: e.gap || slices.ContainsFunc(gaps, func(g gap) bool { return g.sub == e.t })}
		if e.err != nil {
			d.Err = s.node.errorOf(e.err)
		} else if e.t.list != nil {
			d.Position = string(s.placeOf(e.t, now))
		}
		f.Subscriptions = append(f.Subscriptions, d)
	}
	s.tell(wire.AppendConnected(nil, f), at)
}
