package park

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// unreadTime is how long a client may take to read its response before the
// connection is given back; it is closed then.
const unreadTime = 30 * time.Second

// closeTime is how long a client may take to hear that a connection which is
// not given back is over.
const closeTime = time.Second

// GiveBack gives the connection back to the http.Server that it was taken
// from, once all that was written to s is flushed: it is called on the loop
// after a response that has an end. The socket's handler hears nothing more,
// not even Closed. Bytes that it left untaken are the server's next request;
// so are rest, which is for what End had given it. A handler that waits to answer
// leaves all of them, on a socket of [loop.Sock.ReadLittle]: a client that sends
// more has to wait, as it would with net/http, and until then its leaving is
// noticed.
//
// The connection is closed instead if it is not [Taken.Reusable], or its
// server was shut down.
func (t *Taken) GiveBack(s *loop.Sock, rest []byte) {
	g := &giving{sock: s, srv: t.srv, lower: t.lower, upper: t.upper, rest: rest}
	flushed := s.Room(loop.HighWater + 1)
	if !flushed {
		g.timer.Owner = g
		s.Loop().After(unreadTime, &g.timer)
	}
	switch {
	case t.srv != nil:
		s.Release(g.released)
	case flushed:
		s.Handle(nobody{})
		g.Drained(s.Loop().Now())
	default:
		s.Handle(g)
	}
}

// A giving is a connection on its way back, or to its end.
type giving struct {
	nobody
	sock  *loop.Sock
	srv   *http.Server
	lower *Conn
	upper *tls.Conn
	rest  []byte
	timer loop.Timer
}

// Drained closes a connection that is not given back.
func (g *giving) Drained(time.Time) { g.sock.Close(nil, closeTime) }

// Closed stops the timer of such a one.
func (g *giving) Closed(time.Time, error) { g.timer.Stop() }

// Fire ends waiting for a client that does not read. If the socket has left
// meanwhile, it does nothing.
func (g *giving) Fire(time.Time) { g.sock.Close(ErrUnread, 0) }

func (g *giving) released(conn net.Conn, rest []byte, err error) {
	if err != nil {
		return // the loop has closed it
	}
	rest = append(g.rest, rest...)
	r := returnerOf(g.srv)
	if g.upper != nil { // TLS over a Conn
		g.lower.attach(conn)
		conn = g.upper
		if len(rest) > 0 {
			conn = &aheadConn{Conn: g.upper, ahead: rest}
		}
		g.lower.fresh = r.mark(conn)
	} else if t, ok := conn.(*tls.Conn); ok { // a foreign one
		a := &aheadConn{Conn: t, ahead: rest}
		conn = a
		a.fresh = r.mark(conn)
	} else {
		c := &Conn{inner: conn, ahead: rest}
		conn = c
		c.fresh = r.mark(conn)
	}
	r.give(conn)
}

// An aheadConn is a TLS connection of which something was read already.
// net/http finds its TLS state by the ConnectionState method.
type aheadConn struct {
	*tls.Conn
	ahead []byte
	fresh *mark
}

func (a *aheadConn) Read(p []byte) (int, error) {
	if len(a.ahead) > 0 {
		a.heard()
		n := copy(p, a.ahead)
		if a.ahead = a.ahead[n:]; len(a.ahead) == 0 {
			a.ahead = nil
		}
		return n, nil
	}
	n, err := a.Conn.Read(p)
	if n > 0 {
		a.heard()
	}
	return n, err
}

func (a *aheadConn) heard() {
	if lower, ok := a.NetConn().(*Conn); ok {
		lower.heard() // what is read ahead does not pass there
	}
	if a.fresh != nil {
		a.fresh.remove()
		a.fresh = nil
	}
}

// nobody is the handler of a socket that is closing.
type nobody struct{}

func (nobody) Read(_ time.Time, p []byte) int { return len(p) }
func (nobody) End(time.Time, []byte)          {}
func (nobody) Drained(time.Time)              {}
func (nobody) Closed(time.Time, error)        {}
