package park

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// A layer is TLS on a loop: crypto/tls over a parked [Conn]. The loop feeds it
// what the socket brought and reads the plaintext from it; what it wants to
// send goes to the socket's queue. Seven rules keep crypto/tls, which was made
// for blocking connections, well on a loop:
//
//  1. The inner Write copies, queues what the socket does not take, and
//     succeeds: any write error is permanent in crypto/tls. (Conn.Write)
//  2. Reads write too: key updates and alerts. What waits to be written is
//     bounded; past the bound the connection is cut. (loop, [loop.ErrFlooded])
//  3. tls.Write is called only while that queue is empty, with what the turn
//     owes joined into pieces of at most 16 KiB. (loop)
//  4. The inner Read never returns (0, nil) but a temporary timeout, across
//     which crypto/tls keeps its state. (Conn.Read)
//  5. When reading stops before "nothing there", the socket stays on the ready
//     list: no event comes for bytes inside crypto/tls. (loop; Keep)
//  6. An end without close_notify is a cut. Closing says close_notify first. (loop; CloseWrite)
//  7. Handshakes run on goroutines. (handshake.go)
type layer struct {
	conn *Conn
	tls  *tls.Conn
}

// An Adopter is a *loop.Group or a *loop.Loop.
type Adopter interface {
	Adopt(conn net.Conn, read []byte, open func(now time.Time, s *loop.Sock) loop.Handler) error
}

// adoptTLS parks t, whose lower end is c.
func adoptTLS(to Adopter, c *Conn, t *tls.Conn, read []byte, open func(time.Time, *loop.Sock) loop.Handler) error {
	return to.Adopt(c.detach(), read, func(now time.Time, s *loop.Sock) loop.Handler {
		c.sock = s
		s.SetLayer(&layer{conn: c, tls: t})
		return open(now, s)
	})
}

// Feed gives bytes of the socket to crypto/tls's next Read. While parked that
// has used up all that was fed before; when the loop hands the socket back, it
// may feed some more behind what is left.
func (l *layer) Feed(p []byte) {
	if c := l.conn; len(c.ahead) > 0 {
		c.keep()
		c.ahead = append(c.ahead, p...)
	} else {
		c.ahead, c.lent = p, true
	}
}

// Keep copies what was fed and not used, because the loop's memory will be
// used again.
func (l *layer) Keep() { l.conn.keep() }

func (c *Conn) keep() {
	if c.lent {
		c.ahead, c.lent = bytes.Clone(c.ahead), false
	}
}

func (l *layer) Read(p []byte) (int, error) {
	n, err := l.tls.Read(p)
	if n > 0 || err == nil {
		return n, nil // an error beside bytes comes again at the next call
	}
	if errors.Is(err, nothingYet{}) {
		return 0, loop.ErrAgain
	}
	if !errors.Is(err, io.EOF) {
		// The loop is about to cut the connection. Asking for more room than
		// there is makes it write what waits: the alert that says why.
		l.conn.sock.Room(loop.HighWater + 1)
	}
	return 0, err
}

func (l *layer) Write(p []byte) error {
	_, err := l.tls.Write(p)
	return err
}

// CloseWrite says close_notify.
func (l *layer) CloseWrite() { l.tls.CloseWrite() }
