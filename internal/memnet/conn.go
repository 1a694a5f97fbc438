package memnet

import (
	"io"
	"net"
	"syscall"
	"time"
)

// A Conn is one end of a connection. Its methods may be called from any
// goroutine.
type Conn struct {
	in, out       *stream
	local, remote addr
}

func pair(a, b addr) (*Conn, *Conn) {
	ab, ba := newStream(), newStream()
	return &Conn{in: ba, out: ab, local: a, remote: b}, &Conn{in: ab, out: ba, local: b, remote: a}
}

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.opError("read", err)
}

// Write implements [net.Conn]. It waits while 64 KiB are on their way.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.opError("write", err)
}

// CloseWrite tells the peer that no more will come. Reading goes on.
func (c *Conn) CloseWrite() error {
	return c.opError("close", c.out.finish())
}

// Close closes both ways. The peer reads what was written before and then the
// end; but if bytes of its own were not read here, it is reset, as TCP does.
func (c *Conn) Close() error {
	if c.in.unread() {
		return c.end(syscall.ECONNRESET)
	}
	return c.end(nil)
}

// Cut resets the connection: what is on its way is lost, and the peer hears
// ECONNRESET.
func (c *Conn) Cut() { _ = c.end(syscall.ECONNRESET) }

func (c *Conn) end(reset error) error {
	err := c.in.closeReader(reset)
	c.out.closeWriter(reset)
	return c.opError("close", err)
}

// Freeze makes this end vanish without a word, like a phone in a tunnel:
// nothing more arrives on either side, neither bytes nor an end nor a reset,
// and writes succeed until the buffers are full. There is no thaw.
func (c *Conn) Freeze() {
	c.in.freeze()
	c.out.freeze()
}

// LocalAddr implements [net.Conn].
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements [net.Conn].
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	c.SetWriteDeadline(t)
	return c.SetReadDeadline(t)
}

// SetReadDeadline implements [net.Conn]. It ends a Read that waits, too.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.opError("set", c.in.setDeadline(&c.in.reader, t))
}

// SetWriteDeadline implements [net.Conn]. It ends a Write that waits, too.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.opError("set", c.out.setDeadline(&c.out.writer, t))
}

func (c *Conn) opError(op string, err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // as it came from the stream, and as readers compare it
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}
