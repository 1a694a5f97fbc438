package ws

import (
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
)

// Read takes frames until there is no whole one left, or the receiver pauses
// the link or moves it.
//
// Pings are answered, once for all that one turn brought: RFC 6455 section
// 5.5.3 lets a pong stand for every ping before it. If there is no room for the
// pong it waits, and a later one replaces it; so a peer that floods us with
// pings and does not read costs one pong's memory. Pongs say that the peer
// lives, as every byte does, and nothing else.
func (l *link) Read(now time.Time, p []byte) int {
	l.hear(now)
	var ping []byte // the latest; nil: none
	took := 0
	for l.state&(paused|done|moving) == 0 {
		ev, n, err := l.reader.Next(p[took:])
		took += n
		if err != nil {
			l.pong(ping)
			l.fail(err)
			return len(p)
		}
		switch ev.Op {
		case frame.None:
			l.pong(ping)
			return took
		case frame.Text:
			l.receive(now, longwire.Text, ev.Data)
		case frame.Binary:
			l.receive(now, longwire.Binary, ev.Data)
		case frame.Ping:
			ping = ev.Data
		case frame.Close:
			l.pong(ping)
			l.closedByPeer(ev.Code, string(ev.Data))
			return len(p)
		}
	}
	_, _, _ = l.reader.Next(nil) // gives back the buffer of a message that came in pieces
	l.pong(ping)                 // goes along if the socket leaves, at the end of the turn
	return took
}

// receive hands on a message, unless we have said goodbye: what the peer had
// sent before it heard that is dropped.
func (l *link) receive(now time.Time, kind longwire.Kind, p []byte) {
	if l.state&closing == 0 {
		l.recv.Receive(now, kind, p)
	}
}

// pong answers a ping. ping is its payload, nil if there was none.
func (l *link) pong(ping []byte) {
	if ping == nil || l.state&closing != 0 {
		return
	}
	size := len(ping) + 2
	if !l.sock.Room(size) {
		m := l.more()
		m.pong = frame.AppendMessage(m.pong[:0], frame.Pong, ping)
		return
	}
	if l.rare != nil {
		l.rare.pong = nil // this one stands for it too
	}
	l.sock.Commit(frame.AppendMessage(l.sock.Reserve(size), frame.Pong, ping))
}

// Drained sends the pong that waited, and tells the receiver.
func (l *link) Drained(now time.Time) {
	if l.state&closing != 0 {
		return
	}
	if l.rare != nil && len(l.rare.pong) > 0 {
		l.sock.Write(l.rare.pong)
		l.rare.pong = nil
	}
	if l.state&full != 0 {
		l.state &^= full
		l.recv.Drained(now)
	}
}
