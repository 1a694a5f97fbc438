package park

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// MaxAhead is how much of what a client sends before it has its response may
// be kept. A handler that waits to answer leaves that untaken, and stops
// reading when there is more: then the client waits, as it would with net/http.
const MaxAhead = 4 << 10

// unreadTime is how long a client may take to read its response before the
// connection is given back; it is closed then.
const unreadTime = 30 * time.Second

// GiveBack gives the connection back to the http.Server that it was taken
// from, once all that was written to s is flushed: it is called on the loop
// after a response that has an end. The socket's handler hears nothing more,
// not even Closed. Bytes that it left untaken are the server's next request;
// so are rest, which is for what End had given it.
//
// The connection is closed instead if it is not [Taken.Reusable], or its
// server was shut down.
func (t *Taken) GiveBack(s *loop.Sock, rest []byte) {
	if t.srv == nil {
		s.Handle(nobody{})
		s.Close(nil, time.Second)
		return
	}
	g := &giving{s: s, srv: t.srv, lower: t.lower, upper: t.upper, rest: rest}
	g.timer.Owner = g
	s.SetRead(false)
	s.Handle(g)
	g.Drained(s.Loop().Now())
}

// A giving is the handler of a socket on its way back. It owns the socket
// from GiveBack until it is released.
type giving struct {
	nobody
	s     *loop.Sock
	srv   *http.Server
	lower *Conn
	upper *tls.Conn
	rest  []byte
	timer loop.Timer
	dead  bool
}

// Drained releases the socket when it owes nothing, by a task of its own: it
// may run inside the flush, or inside the old handler's Read, whose untaken
// bytes come only after it.
func (g *giving) Drained(time.Time) {
	if g.s.Room(loop.HighWater + 1) {
		g.timer.Stop()
		g.s.Loop().PostTask(g)
	} else if !g.timer.Armed() {
		g.s.Loop().After(unreadTime, &g.timer)
	}
}

// Read takes nothing: it is the server's.
func (g *giving) Read(time.Time, []byte) int { return 0 }

// End keeps what came before the end; the server finds the end by itself.
func (g *giving) End(_ time.Time, rest []byte) { g.rest = append(g.rest, rest...) }

func (g *giving) Closed(time.Time, error) {
	g.dead = true
	g.timer.Stop()
}

// Fire ends waiting for a client that does not read.
func (g *giving) Fire(time.Time) { g.s.Close(ErrUnread, 0) }

// Run is the task that releases.
func (g *giving) Run(time.Time) {
	if g.dead {
		return
	}
	if g.lower != nil {
		g.lower.keep()
	}
	g.s.Release(g.released)
}

func (g *giving) released(conn net.Conn, rest []byte, err error) {
	if err != nil {
		return // the loop has closed it
	}
	rest = append(g.rest, rest...)
	lower := g.lower
	switch {
	case g.upper != nil:
		lower.attach(conn)
		conn = g.upper
		if len(rest) > 0 {
			conn = &aheadConn{Conn: g.upper, ahead: rest}
		}
	case asTLS(conn) == nil:
		lower = &Conn{inner: conn, ahead: rest}
		conn = lower
	case len(rest) > 0:
		conn = &aheadConn{Conn: asTLS(conn), ahead: rest}
	}
	returnerOf(g.srv).give(conn, lower)
}

func asTLS(c net.Conn) *tls.Conn {
	t, _ := c.(*tls.Conn)
	return t
}

// An aheadConn is a TLS connection of which something was read already.
// net/http finds its TLS state by the ConnectionState method.
type aheadConn struct {
	*tls.Conn
	ahead []byte
}

func (a *aheadConn) Read(p []byte) (int, error) {
	if len(a.ahead) > 0 {
		n := copy(p, a.ahead)
		if a.ahead = a.ahead[n:]; len(a.ahead) == 0 {
			a.ahead = nil
		}
		return n, nil
	}
	return a.Conn.Read(p)
}

// nobody is the handler of a socket that nobody listens to.
type nobody struct{}

func (nobody) Read(_ time.Time, p []byte) int { return len(p) }
func (nobody) End(time.Time, []byte)          {}
func (nobody) Drained(time.Time)              {}
func (nobody) Closed(time.Time, error)        {}

// A returner is the listener by which connections come back to a server that
// had accepted them once: what it hands out is blocking, and through with its
// TLS handshake. There is one for each server that was ever given something
// back, from then until the server is shut down.
type returner struct {
	srv   *http.Server
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu    sync.Mutex
	addr  net.Addr
	fresh map[*Conn]net.Conn // given back and not heard of since; nil after the shutdown
}

var returners struct {
	mu sync.Mutex
	m  map[*http.Server]*returner
}

func returnerOf(srv *http.Server) *returner {
	returners.mu.Lock()
	defer returners.mu.Unlock()
	r := returners.m[srv]
	if r == nil {
		r = &returner{
			srv: srv, conns: make(chan net.Conn), done: make(chan struct{}),
			fresh: make(map[*Conn]net.Conn),
		}
		if returners.m == nil {
			returners.m = make(map[*http.Server]*returner)
		}
		returners.m[srv] = r
		srv.RegisterOnShutdown(r.shutdown)
		go r.serve() // ends with the server, which waits for it in Shutdown
	}
	return r
}

func (r *returner) serve() {
	r.srv.Serve(r) // always an error: the server is closed
	returners.mu.Lock()
	delete(returners.m, r.srv)
	returners.mu.Unlock()
	r.shutdown()
}

// give hands conn to the server. lower is the [Conn] beneath, if it has one.
func (r *returner) give(conn net.Conn, lower *Conn) {
	r.mu.Lock()
	if r.addr == nil {
		r.addr = conn.LocalAddr()
	}
	if lower != nil && r.fresh != nil {
		lower.fresh = r
		r.fresh[lower] = conn
	}
	r.mu.Unlock()
	select {
	case r.conns <- conn:
	case <-r.done:
		conn.Close()
	}
}

func (r *returner) forget(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.fresh, c)
}

// shutdown closes the connections that came back and were idle since. The
// server takes them for new ones, and would wait 5 s for their first request.
func (r *returner) shutdown() {
	r.mu.Lock()
	fresh := r.fresh
	r.fresh = nil
	r.mu.Unlock()
	for _, c := range fresh {
		c.Close()
	}
}

// Accept waits for a connection that comes back.
func (r *returner) Accept() (net.Conn, error) {
	select {
	case c := <-r.conns:
		return c, nil
	case <-r.done:
		return nil, net.ErrClosed
	}
}

// Close is called by the server.
func (r *returner) Close() error {
	r.once.Do(func() { close(r.done) })
	return nil
}

// Addr returns the address that the first connection to come back was accepted at.
func (r *returner) Addr() net.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addr
}
