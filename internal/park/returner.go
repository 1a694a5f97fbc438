package park

import (
	"net"
	"net/http"
	"sync"
	"time"
)

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
	fresh map[net.Conn]struct{} // given back and not heard of since; nil after the shutdown
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
			fresh: make(map[net.Conn]struct{}),
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
	_ = r.srv.Serve(r) // the server was closed
	returners.mu.Lock()
	delete(returners.m, r.srv)
	returners.mu.Unlock()
	r.shutdown()
}

// give hands conn to the server.
func (r *returner) give(conn net.Conn) {
	select {
	case r.conns <- conn:
	case <-r.done:
		conn.Close()
	}
}

// A mark remembers that a connection was given back and has not been heard of
// since. Who reads the connection removes it.
type mark struct {
	by     *returner
	conn   net.Conn
	header time.Duration // owned by who reads: what a request's header has, from its first byte; zero: for ever
}

// deadline returns the one for reading that conn shall have, when the server
// wants t. The server takes conn for new, and gives it the time of a request's
// header from now on; but this is the idle time between two requests.
func (m *mark) deadline(t time.Time) time.Time {
	m.header = max(0, time.Until(t))
	if m.header == 0 { // none, or one that has passed, which ends a read that waits
		return t
	}
	idle := m.by.srv.IdleTimeout
	if idle == 0 {
		idle = m.by.srv.ReadTimeout // as net/http has it
	}
	if idle <= 0 {
		return time.Time{}
	}
	return time.Now().Add(idle)
}

func (r *returner) mark(conn net.Conn) *mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.addr == nil {
		r.addr = conn.LocalAddr()
	}
	if r.fresh == nil {
		return nil
	}
	r.fresh[conn] = struct{}{}
	return &mark{by: r, conn: conn}
}

func (m *mark) remove() {
	m.by.mu.Lock()
	defer m.by.mu.Unlock()
	delete(m.by.fresh, m.conn)
}

// shutdown closes the connections that came back and were idle since. The
// server takes them for new ones, and would wait 5 s for their first request.
func (r *returner) shutdown() {
	r.mu.Lock()
	fresh := r.fresh
	r.fresh = nil
	r.mu.Unlock()
	for c := range fresh {
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
