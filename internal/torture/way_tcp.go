package torture

import (
	"bufio"
	"context"
	"net"
	"time"

	"github.com/longwire/longwire/wire"
)

// tcpLink speaks lines over TCP (docs/protocol.md, section 2.2).
type tcpLink struct {
	conn net.Conn
	in   *bufio.Reader
}

func openTCP(ctx context.Context, d *dialer, a *asking) (link, error) {
	conn, err := d.dial(ctx, d.tcp)
	if err != nil {
		return nil, err
	}
	l := &tcpLink{conn, bufio.NewReader(conn)}
	if _, err := conn.Write(append(a.connectFrame(), '\n')); err != nil {
		l.cut()
		return nil, err
	}
	return l, nil
}

func (l *tcpLink) next() (*wire.ServerFrame, error) {
	l.conn.SetReadDeadline(time.Now().Add(silence))
	f, err := nextLine(l.in)
	if err == nil && f.Op == wire.OpPing {
		_, err = l.conn.Write(append(wire.AppendPong(nil, 0), '\n'))
	}
	return f, err
}

// nextLine reads a frame on a line.
func nextLine(in *bufio.Reader) (*wire.ServerFrame, error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	return parseFrame(line)
}

func (l *tcpLink) cut() { cutConn(l.conn) }

// cutConn ends a connection at once: what was not read is lost on the way.
func cutConn(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
}
