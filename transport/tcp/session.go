package tcp

import (
	"errors"
	"fmt"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A host is an acceptor that knows what its links need: a *longwire.Node.
type host interface{ Door() *longwire.WayOptions }

// Session returns a server of the session protocol: JSON lines, both ways, whose
// last one says why a link ends. It is configured for the node, with its engine and log,
// and may be changed before it serves.
//
//	err := tcp.Session(node).ListenAndServe("127.0.0.1:8888")
func Session(node longwire.Acceptor) *Server {
	s := &Server{
		Acceptor:   node,
		Framing:    Frames,
		MaxMessage: wire.MaxFrame(0),
		FirstByte:  wire.HandshakeTimeout,
		Full:       append(wire.AppendClose(nil, wire.CodeOverloaded, "", time.Second), '\n'),
	}
	s.Farewell = s.lastLine
	if h, ok := node.(host); ok {
		o := h.Door()
		s.Engine = o.Engine
		if o.Node != nil {
			s.MaxMessage, s.Log = wire.MaxFrame(o.Node.MaxMessage), o.Node.Log
		}
	}
	return s
}

// lastLine is a close frame, or what the peer understands instead.
func (s *Server) lastLine(c *longwire.Close) []byte {
	e, _ := errors.AsType[*wire.Error](c.Err)
	switch e {
	case errTLS:
		return nil
	case errHTTP:
		return s.notHTTP()
	}
	return wire.AppendClose(nil, c.Code, c.Reason, c.Retry)
}

// notHTTP answers an HTTP request. The framing adds a line feed, which is the
// last byte of the body.
func (s *Server) notHTTP() []byte {
	body := errHTTP.Message + "."
	if s.HTTP != "" {
		body += " HTTP is at " + s.HTTP
	}
	return fmt.Appendf(nil, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		len(body)+1, body)
}
