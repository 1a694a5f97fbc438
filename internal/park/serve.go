package park

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// A Door says what becomes of the connections that [Listener.Serve] accepts.
type Door struct {
	// Open is called on the loop with each new connection, after its TLS
	// handshake, and returns its handler. If it returns nil the connection is closed.
	Open func(now time.Time, s *loop.Sock, from Peer) loop.Handler
	// TLS, if set, is what connections speak.
	TLS *tls.Config
	// Full is what a connection hears that finds no descriptor free, before it
	// is closed. With TLS it is an alert instead.
	Full []byte
	// Failed, if set, hears of TLS connections that were lost before Open. Any
	// goroutine.
	Failed func(from net.Addr, err error)
}

// A Peer is whom a connection was accepted from.
type Peer struct {
	Addr netip.AddrPort // zero where the network has no such addresses
	TLS  *tls.Conn      // nil without TLS; for its ConnectionState, nothing else
}

// Serve accepts connections and takes each to the loop of g with the fewest,
// until the listener is closed; then it returns nil. If the group was closed it
// returns [loop.ErrShutdown]. On Linux a plain TCP connection never becomes a
// net.Conn.
func (ln *Listener) Serve(g *loop.Group, d *Door) error {
	err := ln.serve(g, d)
	if ln.isClosed() {
		return nil
	}
	return err
}

func (ln *Listener) serve(g *loop.Group, d *Door) error {
	if d.TLS != nil {
		return ln.serveTLS(g, d)
	}
	if g.Descriptors() {
		if fds := ln.openFDs(); fds != nil {
			return ln.serveFDs(g, d, fds)
		}
	}
	for {
		c, err := ln.accept(d.Full)
		if err != nil {
			return err
		}
		from := Peer{Addr: addrOf(c)}
		err = g.Adopt(c, nil, func(now time.Time, s *loop.Sock) loop.Handler { return d.Open(now, s, from) })
		if err != nil {
			return err
		}
	}
}

func (ln *Listener) openFDs() *fdAcceptor {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.closed {
		return nil
	}
	if ln.fds == nil {
		ln.fds, _ = newFDAcceptor(ln.inner) // on an error Accept will do
	}
	return ln.fds
}

func (ln *Listener) serveFDs(g *loop.Group, d *Door, fds *fdAcceptor) error {
	for {
		c, err := acceptFrom(ln, d.Full, fds.accept)
		if err != nil {
			return err
		}
		if ln.tune != nil {
			ln.tune(c.fd)
		}
		from := Peer{Addr: c.remote}
		err = g.Least().AdoptFD(c.fd, func(now time.Time, s *loop.Sock) loop.Handler { return d.Open(now, s, from) })
		if err != nil {
			return err
		}
	}
}

func (ln *Listener) serveTLS(g *loop.Group, d *Door) error {
	var handshakes sync.WaitGroup
	defer handshakes.Wait()
	for {
		raw, err := ln.accept(fullTLS)
		if err != nil {
			return err
		}
		handshakes.Go(func() {
			c := &Conn{inner: raw}
			t := tls.Server(c, d.TLS)
			if err := ln.handshake(c, t); err != nil {
				if d.Failed != nil {
					d.Failed(c.RemoteAddr(), err)
				}
				t.Close()
				return
			}
			from := Peer{Addr: addrOf(raw), TLS: t}
			err := adoptTLS(g, c, t, nil, func(now time.Time, s *loop.Sock) loop.Handler { return d.Open(now, s, from) })
			if err != nil && d.Failed != nil {
				d.Failed(raw.RemoteAddr(), err)
			}
		})
	}
}

func addrOf(c net.Conn) netip.AddrPort {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
