package park

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"runtime"
	"time"
)

// TLS handshakes are computed on goroutines, never on a loop: one costs a
// millisecond of a core and more, for which a loop would serve nobody.
//
// At most four per core are computed at once, first come, first served, so
// that a wave of reconnecting clients leaves the loops their share. A slot is
// held for computing only: whoever waits for the peer's bytes, or for the peer
// to take ours, has given it back. So clients that connect and say nothing, or
// stop in the middle, take no slot from honest ones, however many they are.
//
// A handshake has 10 s from being accepted, all waiting included, that for a
// slot too: a client that waited longer has given up.
const (
	handshakesPerCore = 4
	handshakeTime     = 10 * time.Second
)

var handshakeSlots = make(chan struct{}, handshakesPerCore*runtime.GOMAXPROCS(0))

// handshake runs the handshake of t, whose lower end is c.
func (ln *Listener) handshake(c *Conn, t *tls.Conn) error {
	if !ln.begin(c.inner) {
		return net.ErrClosed
	}
	defer ln.finish(c.inner)
	due := time.Now().Add(handshakeTime)
	c.inner.SetDeadline(due)
	g := &gate{slots: handshakeSlots, due: due}
	c.gate = g
	err := t.Handshake()
	g.leave()
	c.gate = nil
	c.inner.SetDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errors.Join(ErrHandshake, err)
	}
	return err
}

// begin notes that c is in a handshake, so that Close can cut it.
func (ln *Listener) begin(c net.Conn) bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.closed {
		return false
	}
	if ln.pending == nil {
		ln.pending = make(map[net.Conn]struct{})
	}
	ln.pending[c] = struct{}{}
	return true
}

func (ln *Listener) finish(c net.Conn) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	delete(ln.pending, c)
}

// A gate holds a slot for one handshake while that computes, and lets go of it
// while that waits. It belongs to the handshake's goroutine.
type gate struct {
	slots chan struct{}
	due   time.Time
	held  bool
}

func (g *gate) read(c net.Conn, p []byte) (int, error) {
	g.leave()
	n, err := c.Read(p)
	if err != nil {
		return n, err
	}
	return n, g.enter()
}

func (g *gate) write(c net.Conn, p []byte) (int, error) {
	g.leave()
	n, err := c.Write(p)
	if err != nil {
		return n, err
	}
	return n, g.enter()
}

func (g *gate) leave() {
	if g.held {
		<-g.slots
		g.held = false
	}
}

func (g *gate) enter() error {
	select {
	case g.slots <- struct{}{}:
		g.held = true
		return nil
	default:
	}
	t := time.NewTimer(time.Until(g.due))
	defer t.Stop()
	select {
	case g.slots <- struct{}{}:
		g.held = true
		return nil
	case <-t.C:
		return os.ErrDeadlineExceeded
	}
}
