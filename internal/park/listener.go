package park

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

// Options configure a [Listener]. Nil means all defaults.
type Options struct {
	// KeepAlive is after how long a silence the kernel asks whether the peer
	// is there; it gives up after three unanswered questions, 10 s apart.
	// Zero means 60 s, which lets heartbeats every 25 s make it unnecessary;
	// negative is off.
	KeepAlive time.Duration
	// UserTimeout is how long written bytes may wait for the peer to
	// acknowledge them or, with its window closed, to take them, before the
	// connection is dead (TCP_USER_TIMEOUT, Linux only). Zero means 30 s,
	// negative is off.
	UserTimeout time.Duration
	// Full is what a connection hears that finds no descriptor free, before it
	// is closed. Nil means an HTTP response with status 503; empty, nothing.
	Full []byte
	Log  *slog.Logger // hears of missing descriptors, once per 10 s; nil means slog.Default()
}

const (
	defaultKeepAlive   = 60 * time.Second
	keepAliveInterval  = 10 * time.Second
	keepAliveCount     = 3
	defaultUserTimeout = 30 * time.Second

	// notSentBytes is how much unsent data makes a socket full: what waits
	// beyond it waits in our queues, where it is shared and bounded.
	notSentBytes = 16 << 10
)

func or(d, zero time.Duration) time.Duration {
	if d == 0 {
		return zero
	}
	return max(d, 0)
}

// A Listener accepts connections that can be parked. It is a net.Listener for
// http.Server, under tls.NewListener or ServeTLS too, and it serves loops
// directly with [Listener.Serve]. Its methods may be called from any goroutine.
//
// When no descriptors are left, it answers those who connect that the server
// is full, until some are free again. So Accept returns no temporary errors.
type Listener struct {
	inner   net.Listener
	full    []byte
	tune    func(fd int) // for each connection; nil if they inherit
	reserve reserve

	mu      sync.Mutex
	closed  bool
	done    chan struct{}
	fds     *fdAcceptor           // Serve's; nil until it is needed
	pending map[net.Conn]struct{} // in a TLS handshake
}

// Listen announces on the network address, as net.Listen does.
func Listen(ctx context.Context, network, addr string, o *Options) (*Listener, error) {
	if o == nil {
		o = &Options{}
	}
	lc := net.ListenConfig{KeepAlive: perConnKeepAlive(o)}
	lc.SetMultipathTCP(false) // its sockets inherit nothing
	ln, err := lc.Listen(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return WrapListener(ln, o), nil
}

// WrapListener makes a listener of one's own park. It must lie beneath TLS:
// wrap it before tls.NewListener does. Options that concern the socket are set
// on a *net.TCPListener only.
func WrapListener(ln net.Listener, o *Options) *Listener {
	if o == nil {
		o = &Options{}
	}
	l := &Listener{inner: ln, full: o.Full, done: make(chan struct{})}
	if l.full == nil {
		l.full = fullHTTP
	}
	if tcp, ok := ln.(*net.TCPListener); ok {
		l.tune = tune(tcp, o)
	}
	l.reserve.log = o.Log
	l.reserve.hold()
	return l
}

// Accept waits for a connection. It is a [*Conn], unless the listener beneath
// speaks TLS already; then it is what that one returned.
func (ln *Listener) Accept() (net.Conn, error) {
	c, err := ln.accept(ln.full)
	if _, ok := c.(*tls.Conn); ok || err != nil {
		return c, err
	}
	return &Conn{inner: c}, nil
}

func (ln *Listener) accept(full []byte) (net.Conn, error) {
	c, err := acceptFrom(ln, full, ln.inner.Accept)
	if sc, ok := c.(syscall.Conn); ok && err == nil && ln.tune != nil {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { ln.tune(int(fd)) }) // it can do without
		}
	}
	return c, err
}

// Addr returns the address that the listener listens on.
func (ln *Listener) Addr() net.Addr { return ln.inner.Addr() }

// Close stops listening. Connections in a TLS handshake are cut, others live.
func (ln *Listener) Close() error {
	ln.mu.Lock()
	if ln.closed {
		ln.mu.Unlock()
		return net.ErrClosed
	}
	ln.closed = true
	close(ln.done)
	fds := ln.fds
	for c := range ln.pending {
		c.Close() // under the lock, lest one that is just through is cut
	}
	ln.mu.Unlock()

	err := ln.inner.Close()
	if fds != nil {
		err = errors.Join(err, fds.Close())
	}
	ln.reserve.close()
	return err
}

func (ln *Listener) isClosed() bool {
	select {
	case <-ln.done:
		return true
	default:
		return false
	}
}
