package client

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/longwire/longwire/wire"
)

// tcpWay is JSON lines over TCP (docs/protocol.md, section 2.2).
type tcpWay struct {
	host string
	tls  *tls.Config // nil without TLS
}

func (w *tcpWay) open(ctx context.Context, g *greeting) (link, error) {
	var conn net.Conn
	var err error
	if w.tls != nil {
		conn, err = (&tls.Dialer{Config: w.tls}).DialContext(ctx, "tcp", w.host)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", w.host)
	}
	if err != nil {
		return nil, err
	}
	l := newTCPLink(conn)
	return l, greet(ctx, l, g)
}

func (w *tcpWay) close() {}

// greet sends the greeting as any other frame.
func greet(ctx context.Context, l link, g *greeting) error {
	stop := context.AfterFunc(ctx, l.close)
	defer stop()
	if err := l.send([][]byte{g.frame}); err != nil {
		l.close()
		return err
	}
	return nil
}

type tcpLink struct {
	conn  net.Conn
	lines *lineReader
	buf   []byte // owned by send
}

func newTCPLink(conn net.Conn) *tcpLink {
	l := &tcpLink{conn: conn}
	l.lines = newLineReader(newPatient(conn, wire.DeadAfter, l.close))
	return l
}

func (l *tcpLink) send(frames [][]byte) error {
	l.buf = appendLines(l.buf[:0], frames)
	if len(l.buf) == 0 {
		return nil
	}
	_, err := l.conn.Write(l.buf)
	if cap(l.buf) > 1<<20 {
		l.buf = nil
	}
	return err
}

func appendLines(dst []byte, frames [][]byte) []byte {
	for _, f := range frames {
		dst = append(append(dst, f...), '\n')
	}
	return dst
}

func (l *tcpLink) receive() ([]byte, error) {
	for {
		p, err := l.lines.next()
		if err != nil || len(p) > 0 {
			return p, err
		}
	}
}

func (l *tcpLink) bye() {} // the end of the connection says it

func (l *tcpLink) close() { l.conn.Close() }
