package ws

import (
	"crypto/tls"
	"net/netip"
	"unique"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/internal/loop"
)

// A link is one WebSocket connection. There are many, so it holds what every
// one needs and no more; what few need is in rare.
type link struct {
	// Immutable after open.
	h        *Handler
	sock     *loop.Sock
	recv     longwire.Receiver
	tls      *tls.ConnectionState // nil without TLS
	local    unique.Handle[netip.AddrPort]
	remote   netip.AddrPort
	request  string // target and header; see info.go
	protocol uint16 // 1 + index into h.Subprotocols; 0 without
	parked   bool

	// Owned by the loop.
	state  uint8
	heard  beat.Moment // when the peer was last heard
	reader frame.Reader
	timer  loop.Timer // the heartbeat, then the wait for the peer's Close frame
	rare   *rare      // nil mostly
}

// Bits of a link's state.
const (
	paused  = 1 << iota // the receiver does not want to hear more now
	full                // Send said ErrFull: Drained is owed
	closing             // a Close frame was sent, or cannot be: nothing is sent or received any more
	done                // the socket is closing, or closed
	moving              // on the way to another loop: nothing is sent or received
)

// rare is what a link needs only in rare states.
type rare struct {
	pong []byte          // the frame of a pong for which there was no room; empty: none
	end  *longwire.Close // why the link is closing
}

func (l *link) more() *rare {
	if l.rare == nil {
		l.rare = &rare{}
	}
	return l.rare
}

// form is how messages leave on WebSocket links whose handler does not bound
// frames: all of them share it.
var form = &longwire.Form{Name: "ws", Append: appendMessage}

func appendMessage(dst []byte, kind longwire.Kind, p []byte) []byte {
	return frame.AppendMessage(dst, opcode(kind), p)
}

func opcode(kind longwire.Kind) frame.Opcode {
	if kind == longwire.Binary {
		return frame.Binary
	}
	return frame.Text
}

func (l *link) Loop() *loop.Loop     { return l.sock.Loop() }
func (l *link) Form() *longwire.Form { return l.h.form }

func (l *link) Send(m *longwire.Message) (int, error) {
	b := m.Frame(l.h.form)
	if err := l.room(len(b)); err != nil {
		return l.sock.Waiting(), err
	}
	l.sock.Lend(b)
	return l.sock.Waiting(), nil
}

func (l *link) SendFramed(b []byte, last bool) (int, error) {
	if err := l.room(len(b)); err != nil && (!last || l.state&closing != 0) {
		return l.sock.Waiting(), err
	}
	l.sock.Write(b)
	return l.sock.Waiting(), nil
}

func (l *link) room(n int) error {
	switch {
	case l.state&closing != 0:
		return longwire.ErrClosed
	case l.state&moving != 0:
		return longwire.ErrFull
	}
	if !l.sock.Room(n) {
		l.state |= full
		return longwire.ErrFull
	}
	return nil
}

func (l *link) Pause(on bool) {
	if l.state&closing != 0 {
		return // the peer's Close frame is waited for
	}
	if on {
		l.state |= paused
	} else if l.state&paused != 0 {
		l.state &^= paused
		l.hear(l.sock.Loop().Now()) // it could not be heard meanwhile
	}
	l.sock.SetRead(!on)
}
