package longwire

import (
	"net/http"
	"time"

	"github.com/longwire/longwire/wire"
)

// A line is one link of a session, as the link's receiver. Which line is the
// session's own is what tells a late word of an old link from the new one's.
//
// A line has a session from the start. If its first frame is a connect that
// resumes another one, that takes the line over, and the one it had is dropped:
// nobody has heard of it.
type line struct {
	link framed
	s    *Session // whose line it is, or was
	deaf bool     // nothing that comes is taken up any more
	late bool     // frames came: connect is too late
	held bool     // the peer is not read
	quit bool     // the peer has finished writing
}

// Accept takes a link for a session; transports call it. See docs/protocol.md, section 3.
func (n *Node) Accept(now time.Time, l Link) (Receiver, error) {
	f, ok := l.(framed)
	if !ok {
		return nil, errForeign
	}
	if n.ending.Load() {
		return nil, n.goAway(0)
	}
	ln := &line{link: f}
	ln.s = n.newSession(n.hubs[f.Loop().Index()], ln)
	return ln, ln.open(now)
}

// newSession returns a session that has not begun.
func (n *Node) newSession(h *hub, l *line) *Session {
	return &Session{node: n, hub: h, line: l}
}

var (
	errBinary   = wire.Errorf(wire.CodeUnsupportedData, "frames are JSON in text messages; the binary form is not spoken yet")
	errReadOnly = &Close{Code: wire.CodeUnsupportedData, Reason: "this address is for reading; publish by POST, or speak frames at /connect"}
)

// Receive takes up a frame. What is refused whatever it says is so in its turn, as any other.
func (l *line) Receive(now time.Time, kind Kind, p []byte) {
	s := l.s
	var refused *wire.Error
	switch {
	case l.deaf || s.line != l:
		return
	case s.flags&sReader != 0:
		l.close(*errReadOnly)
		return
	case !s.rate.allow(now, s.node.opts.Rate):
		refused = s.rate.refusal(s.node.opts.Rate)
	case kind == Binary:
		refused = errBinary
	}
	s.take(now, l, p, refused)
}

// Drained hears that the link has room again.
func (l *line) Drained(now time.Time) {
	if s := l.s; s.line == l && s.flags&sFull != 0 {
		s.flags &^= sFull | sOver
		s.pushOn()
		s.pace(l)
		s.catchUp(now)
		if s.more != nil && s.more.queue != nil {
			s.goOn(now)
		}
	}
}

// Closed hears that the link is gone.
func (l *line) Closed(now time.Time, err error) {
	l.deaf = true
	if s := l.s; s.line == l {
		s.lost(now, CloseOf(err, wire.CodeLost))
	}
}

// Ended hears that the peer has finished writing. It may go on reading, as
// printf … | nc does: whoever has subscriptions or waits for an answer is kept.
func (l *line) Ended(time.Time) {
	if s := l.s; s.line == l && !l.deaf {
		l.quit = true
		if !l.finish() && len(s.subs) > 0 {
			_ = s.send(pingMessage) // finds out whether it is still there
		}
	}
}

// finish closes a link whose peer has finished writing and expects nothing more.
func (l *line) finish() bool {
	s := l.s
	done := l.quit && len(s.subs) == 0 && s.owed.Load() == 0 && !s.busy() && (s.more == nil || s.more.queue == nil)
	if done {
		l.close(Close{Remote: true})
	}
	return done
}

// Leave hears that the engine ends.
func (l *line) Leave(time.Time) { l.close(l.s.node.goingAway()) }

// close closes the link, after what was sent before.
func (l *line) close(c Close) {
	l.deaf = true
	l.link.Close(c)
}

// Heartbeat says where the session stands to a peer that can use it: one that
// said connect, and those that only read.
func (l *line) Heartbeat(now time.Time) bool {
	s := l.s
	if s.line != l || s.flags&sBegun == 0 {
		return false
	}
	h := s.hub
	if s.flags&(sKnown|sReader) == 0 {
		return s.flags&sWebSocket == 0 && s.send(pingMessage) == nil
	}
	h.ahead(s)
	if s.more.catching() > 0 { // some subscriptions may be behind others
		return s.send(pingMessage) == nil
	}
	return s.send(h.ping(now, s)) == nil
}

// Answers reports whether the peer answers pings: one that said connect does.
func (l *line) Answers() bool { return l.s.flags&sKnown != 0 }

// Header tells the position at which a stream begins.
func (l *line) Header(h http.Header) Position { return l.Standing(h) }

// Standing tells where the peer stands with what was sent so far: nowhere yet, if
// history has not said where that is, and the peer did not either.
func (l *line) Standing(h http.Header) Position {
	p := l.standing()
	if p != "" {
		h.Set("Longwire-Position", string(p))
	}
	return p
}

func (l *line) standing() Position {
	s := l.s
	switch {
	case s.line != l && s.more != nil && s.more.stood.l == l:
		return s.more.stood.at
	case s.line != l: // another link's standing is not this one's
		return ""
	case s.flags&sBegun == 0:
		return ""
	case s.flags&sPolled != 0 && s.more.catching() > 0:
		return "" // it would take back those that are ahead of others
	case s.flags&sHeld == 0 || len(s.more.catch.first) == 0:
		return s.position(s.hub.loop.Now())
	}
	return s.asked()
}

// stand notes where a link stands that is about to be closed: the last answer
// of one that is polled says so when the session has no subscriptions any more.
func (l *line) stand() {
	if _, ok := l.link.(polled); ok {
		l.s.rare().stood = stood{l, l.standing()}
	}
}

// Settled reports whether what is in history was sent, so that an answer says
// what there is.
func (l *line) Settled() bool {
	s := l.s
	if s.line != l || s.flags&sFull != 0 {
		return true
	}
	if s.flags&sBegun == 0 {
		return false
	}
	s.hub.ahead(s)
	return s.more.catching() == 0 || s.flags&sFull != 0
}

// pingMessage is a ping without a position.
var pingMessage = NewMessage(JSON, wire.AppendPing(nil, ""))

// pinged is the last ping with a position that a hub made: those who stand
// where it does share it.
type pinged struct {
	number uint64
	second int64
	m      *Message
}

func (h *hub) ping(now time.Time, s *Session) *Message {
	p := &h.pinged
	if n, sec := s.stand(), now.Unix(); p.m == nil || p.number != n || p.second != sec {
		at := h.positionOf(n, now)
		*p = pinged{n, sec, NewMessageAt(JSON, wire.AppendPing(nil, string(at)), at)}
	}
	return p.m
}

// send sends a shared message on the session's link.
func (s *Session) send(m *Message) error {
	if s.line == nil {
		return ErrClosed
	}
	_, err := s.line.link.Send(m)
	return err
}
