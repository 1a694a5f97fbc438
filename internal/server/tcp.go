package server

import (
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/wire"
)

// newTCP is the door of those who speak frames over TCP.
func (s *Server) newTCP() *tcp.Server {
	t := tcp.Session(lineClients{s.frames()})
	t.TLS = s.tls
	t.MaxMessage = wire.MaxMessage
	t.HTTP = s.HTTPURL()
	t.Engine = s.engine
	t.Log = s.log
	return t
}

// lineClients is the acceptor of the TCP port. A peer that has finished writing
// may go on reading, as printf … | nc does, or be gone: TCP does not tell until
// something is sent to it.
type lineClients struct{ longwire.Acceptor }

// Accept implements [longwire.Acceptor].
func (a lineClients) Accept(now time.Time, l longwire.Link) (longwire.Receiver, error) {
	r, err := a.Acceptor.Accept(now, l)
	return lineClient{r}, err
}

type lineClient struct{ longwire.Receiver }

// Ended implements [longwire.Ender]: it tells the client, behind its last frame.
func (r lineClient) Ended(now time.Time) { r.Receive(now, endOfInput, nil) }

// endOfInput is a kind that lines never have.
const endOfInput = longwire.Binary
