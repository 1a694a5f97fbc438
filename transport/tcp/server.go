// Package tcp carries messages over TCP and TLS, cut out of the byte stream by
// a framing of the user's choice.
package tcp

import (
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// A Server makes links of TCP connections. Its fields must not be changed once
// it serves.
type Server struct {
	// Acceptor takes the links. It is required.
	Acceptor longwire.Acceptor
	// Framing cuts the stream into messages. Nil means Raw.
	Framing *Framing
	// TLS makes every connection TLS, with a handshake of at most ten seconds.
	TLS *tls.Config
	// MaxMessage is the most bytes that a message from a peer may have. Zero means 1 MiB.
	MaxMessage int
	// FirstByte is how long a new connection may stay silent. Zero means for ever.
	FirstByte time.Duration
	// Engine is where the links live. Nil means the shared one.
	Engine *longwire.Engine

	form longwire.Form
}

func (s *Server) framing() *Framing {
	if s.Framing == nil {
		return Raw
	}
	return s.Framing
}

func (s *Server) maxMessage() int {
	if s.MaxMessage <= 0 {
		return wire.MaxMessage
	}
	return s.MaxMessage
}

func (s *Server) local() netip.AddrPort { return netip.AddrPort{} }
func (s *Server) forget()               {}

func (s *Server) Serve(ln net.Listener) error {
	s.form = longwire.Form{Name: "tcp/" + s.framing().Name, Append: s.framing().Append}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		s.Engine.Or().Loops().Adopt(c, nil, s.open)
	}
}

func (s *Server) open(now time.Time, sock *loop.Sock) loop.Handler {
	l := &link{sock: sock, srv: s}
	recv, err := s.Acceptor.Accept(now, l)
	if err != nil {
		return nil
	}
	l.recv = recv
	return l
}
