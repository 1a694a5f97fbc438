package server

import (
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/wire"
)

// jsonLines is the framing of the TCP port: lines, unless the first byte shows
// that something else is spoken (docs/protocol.md, section 2.2). No JSON
// object begins with the byte of a TLS handshake (RFC 8446, section 5.1), so
// it is recognised without its line having an end.
var jsonLines = func() *tcp.Framing {
	f := *tcp.Lines
	f.Name = "json lines"
	f.Kind = longwire.JSON
	next := f.Next
	f.Next = func(p []byte, seen, max int) ([]byte, int, error) {
		if seen == 0 && len(p) > 0 && p[0] == tlsHandshake {
			return nil, 0, wire.Errorf(wire.CodeWrongProtocol, "this port speaks JSON lines without TLS; connect without TLS, or start the server with --tls-cert")
		}
		return next(p, seen, max)
	}
	return &f
}()

const tlsHandshake = 0x16

// farewell is the last line of every connection, except to those who would not
// understand it.
func farewell(c *longwire.Close) []byte {
	if c.Code == wire.CodeWrongProtocol {
		return nil
	}
	return appendClose(nil, c)
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
