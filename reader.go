package longwire

import (
	"bytes"
	"net/http"
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// readers is the acceptor of those who only read: GET /channels/… in all its
// forms (docs/protocol.md, section 5.1). A reader is a session without id, frames
// of its own and resume window: one token says where it stands.
type readers struct{ n *Node }

func (n *Node) readers() Acceptor { return readers{n} }

// Accept takes a link.
func (r readers) Accept(now time.Time, l Link) (Receiver, error) {
	f, ok := l.(framed)
	if !ok {
		return nil, errForeign
	}
	n := r.n
	if n.ending.Load() {
		return nil, n.goAway(0)
	}
	info := l.Info()
	rd, err := readingOf(info.Target, info.Header)
	if err != nil {
		return nil, err
	}
	if rd.badID {
		return nil, refuseEventID(info)
	}
	ln := &line{link: f, late: true}
	s := n.newSession(n.hubs[f.Loop().Index()], ln)
	ln.s = s
	s.flags = sBegun | sReader | sToken
	s.hub.readers[s] = struct{}{}
	for _, name := range rd.names {
		s.subscribeSince(name, rd.since)
	}
	s.hub.loop.PostTask(effect(func(now time.Time) { // not from inside Accept: the link cannot send yet
		if info.Transport == "ws" {
			ln.greet(now)
		}
		s.catchUp(now)
	}))
	return ln, nil
}

// greet tells a WebSocket that reads where it begins: a page does not see the header of its response, and whoever is cut before
// anything came would have nothing to go on from. Where history is asked first the reader knows as much itself.
func (l *line) greet(now time.Time) {
	s := l.s
	if s.line != l || s.flags&sHeld != 0 {
		return
	}
	s.hub.ahead(s)
	at := s.position(now)
	_ = s.send(NewMessageAt(JSON, wire.AppendPing(nil, string(at)), at))
}

// LoopFor puts a stream that resumes a session where that lives.
func (n *Node) LoopFor(r *http.Request, body []byte) *loop.Loop {
	_, session, _, ok := parseEventID(r.Header.Get("Last-Event-Id"))
	if !ok {
		session = sessionIn(body)
	}
	if id, ok := parseToken(session); ok {
		if s := n.sessions.find(id); s != nil {
			return s.hub.loop
		}
	}
	return nil
}

// sessionIn returns the session that the first frame of a body resumes.
func sessionIn(body []byte) string {
	first, _, _ := bytes.Cut(bytes.TrimLeft(body, " \t\r\n"), []byte{'\n'})
	var f wire.Frame
	if parse(&f, first) != nil || f.Op != wire.OpConnect {
		return ""
	}
	return string(f.Session)
}
