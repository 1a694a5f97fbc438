// Package memnet is a network in memory, for tests in virtual time: whoever
// waits on it is durably blocked as testing/synctest means it. Its connections
// behave as TCP connections do, and where systems differ, as the harsher one
// does: they are bounded, closed one way or both, reset or frozen. The package
// knows nothing of longwire, and only tests may import it.
package memnet

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// maxBacklog bounds the connections that wait to be accepted; Dial waits then.
const maxBacklog = 128

// A Listener is a [net.Listener] and the way to reach it.
type Listener struct {
	addr    addr
	backlog chan *Conn
	done    chan struct{}
	once    sync.Once
	dialled atomic.Int64
}

// Listen returns a listener that calls itself address. Addresses are names
// only: two listeners may have the same one. In virtual time it must be called
// inside the bubble.
func Listen(address string) *Listener {
	return &Listener{addr: addr(address), backlog: make(chan *Conn, maxBacklog), done: make(chan struct{})}
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, l.opError("accept", net.ErrClosed)
	default:
	}
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.done:
		return nil, l.opError("accept", net.ErrClosed)
	}
}

// Dial connects. The connection is a [*Conn]. It waits only while 128
// connections wait to be accepted.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	select {
	case <-l.done:
		return nil, l.opError("dial", syscall.ECONNREFUSED)
	default:
	}
	client, server := pair(addr(fmt.Sprintf("127.0.0.1:%d", 40000+l.dialled.Add(1))), l.addr)
	select {
	case l.backlog <- server:
	case <-l.done:
		return nil, l.opError("dial", syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, l.opError("dial", context.Cause(ctx))
	}
	select {
	case <-l.done: // closed meanwhile: nobody may be left to accept it
		l.refuse()
	default:
	}
	return client, nil
}

// Close ends Accept and Dial, and resets what was not accepted.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	l.refuse()
	return nil
}

func (l *Listener) refuse() {
	for {
		select {
		case c := <-l.backlog:
			c.Cut()
		default:
			return
		}
	}
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return l.addr }

func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: l.addr, Err: err}
}

// Pipe returns two connected ends without a listener.
func Pipe() (*Conn, *Conn) { return pair("127.0.0.1:1", "127.0.0.1:2") }

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
