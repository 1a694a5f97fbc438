package park

import (
	"io"
	"net"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// A Conn is a connection with two modes. Blocking, it is the net.Conn that it
// was accepted as, for net/http and crypto/tls. Parked, it is the lower end of
// a TLS connection on a loop: what the socket brought is fed to it, and what
// is written to it goes to the socket's queue, so nothing ever blocks. A
// connection without TLS needs no Conn while it is parked, only its descriptor.
//
// Changing the mode is for whoever owns the connection alone: after a hijack,
// and after a release.
type Conn struct {
	inner net.Conn // nil while parked

	// Owned by the reader.
	ahead []byte // comes before what inner brings
	lent  bool   // ahead is the loop's memory
	gate  *gate  // while a TLS handshake is gated
	fresh *mark  // given back, and nothing was heard since

	// Owned by the loop while parked.
	sock *loop.Sock
}

// NetConn returns the connection beneath, or nil while c is parked. Reading
// from it loses what c has read ahead.
func (c *Conn) NetConn() net.Conn { return c.inner }

func (c *Conn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.use(n)
		c.heard()
		return n, nil
	}
	switch {
	case c.sock != nil:
		return 0, nothingYet{} // never (0, nil), and never an end: the loop tells of that
	case c.gate != nil:
		return c.gate.read(c.inner, p)
	}
	n, err := c.inner.Read(p)
	if n > 0 {
		c.heard()
	}
	return n, err
}

func (c *Conn) use(n int) {
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead, c.lent = nil, false
	}
}

func (c *Conn) heard() {
	m := c.fresh
	if m == nil {
		return
	}
	c.fresh = nil
	m.remove()
	if m.header > 0 && c.inner != nil {
		c.inner.SetReadDeadline(time.Now().Add(m.header))
	}
}

func (c *Conn) Write(p []byte) (int, error) {
	if c.sock != nil {
		// p is pooled memory of crypto/tls; Raw copies it. To crypto/tls any
		// failure is permanent, so a full socket is none, and of a dead one the
		// loop knows.
		c.sock.Raw(p)
		return len(p), nil
	}
	if c.gate != nil {
		return c.gate.write(c.inner, p)
	}
	return c.inner.Write(p)
}

// ReadFrom lets net/http send files by sendfile.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	if c.inner == nil {
		return 0, net.ErrClosed
	}
	return io.Copy(c.inner, r)
}

// Close closes a blocking connection. A parked one is its loop's to close.
func (c *Conn) Close() error {
	if c.inner == nil {
		return nil
	}
	return c.inner.Close()
}

// CloseWrite finishes writing, while the peer may go on.
func (c *Conn) CloseWrite() error {
	if w, ok := c.inner.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return c.Close()
}

// LocalAddr returns our end of the connection. While that is parked it is not
// known: who needs the addresses of an idle connection has kept them shorter.
func (c *Conn) LocalAddr() net.Addr {
	if c.inner == nil {
		return parkedAddr{}
	}
	return c.inner.LocalAddr()
}

// RemoteAddr returns the peer's end; see LocalAddr.
func (c *Conn) RemoteAddr() net.Addr {
	if c.inner == nil {
		return parkedAddr{}
	}
	return c.inner.RemoteAddr()
}

// SetDeadline sets both deadlines. A parked connection waits for nothing and
// has none.
func (c *Conn) SetDeadline(t time.Time) error {
	if c.inner == nil {
		return nil
	}
	return c.inner.SetDeadline(t)
}

// SetReadDeadline is as for net.Conn, except that a connection which came back
// to its server and waits for the next request has the server's time for that.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.inner == nil {
		return nil
	}
	if c.fresh != nil {
		t = c.fresh.deadline(t)
	}
	return c.inner.SetReadDeadline(t)
}

// SetWriteDeadline is as for net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.inner == nil {
		return nil
	}
	return c.inner.SetWriteDeadline(t)
}

// detach takes the connection beneath out of c, to be adopted by a loop.
func (c *Conn) detach() net.Conn {
	raw := c.inner
	c.inner = nil
	return raw
}

// attach makes c blocking again, over raw.
func (c *Conn) attach(raw net.Conn) {
	c.inner, c.sock = raw, nil
}

type parkedAddr struct{}

func (parkedAddr) Network() string { return "tcp" }
func (parkedAddr) String() string  { return "parked" }

// nothingYet is the error of a parked connection that has nothing to read.
// crypto/tls keeps its state across a net.Error that says it is temporary.
type nothingYet struct{}

func (nothingYet) Error() string   { return "park: nothing there yet" }
func (nothingYet) Timeout() bool   { return true }
func (nothingYet) Temporary() bool { return true }
