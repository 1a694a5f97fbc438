package torture

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

// wsLink speaks RFC 6455 (docs/protocol.md, section 2.3).
type wsLink struct {
	conn   net.Conn
	in     *bufio.Reader
	reader frame.Reader
	buf    []byte              // read and not yet taken
	first  []*wire.ServerFrame // what the header told
}

var wsConfig = frame.Config{MaxMessage: 4 << 20}

func openWS(ctx context.Context, d *dialer, a *asking) (link, error) {
	l, err := dialWS(ctx, d, d.url("/connect", nil))
	if err != nil {
		return nil, err
	}
	if err := l.send(frame.Text, a.connectFrame()); err != nil {
		l.cut()
		return nil, err
	}
	return l, nil
}

func openReadingWS(ctx context.Context, d *dialer, a *asking) (link, error) {
	l, err := dialWS(ctx, d, d.channelsURL(a.names, url.Values{"since": {a.one()}}))
	if err != nil {
		return nil, err
	}
	return l, nil
}

func dialWS(ctx context.Context, d *dialer, address string) (*wsLink, error) {
	conn, err := d.dial(ctx, d.http)
	if err != nil {
		return nil, err
	}
	l := &wsLink{conn: conn, in: bufio.NewReader(conn), reader: frame.Reader{Config: &wsConfig}}
	if err := l.shake(address); err != nil {
		l.cut()
		return nil, err
	}
	return l, nil
}

func (l *wsLink) shake(address string) error {
	l.conn.SetDeadline(time.Now().Add(silence))
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header = http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	if err := req.Write(l.conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(l.in, req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return refusal(resp)
	}
	l.first = told(resp.Header)
	return nil
}

func (l *wsLink) send(op frame.Opcode, p []byte) error {
	_, err := l.conn.Write(frame.AppendMasked(nil, op, 0x01020304, p))
	return err
}

func (l *wsLink) next() (*wire.ServerFrame, error) {
	if len(l.first) > 0 {
		f := l.first[0]
		l.first = l.first[1:]
		return f, nil
	}
	l.conn.SetDeadline(time.Now().Add(silence))
	for {
		ev, n, err := l.reader.Next(l.buf)
		l.buf = l.buf[n:]
		if err != nil {
			return nil, err
		}
		switch ev.Op {
		case frame.Text:
			return parseFrame(ev.Data)
		case frame.Close:
			return nil, fmt.Errorf("closed with %d %s", ev.Code, ev.Data)
		case frame.Ping:
			if err := l.send(frame.Pong, ev.Data); err != nil {
				return nil, err
			}
		case frame.None:
			if err := l.more(); err != nil {
				return nil, err
			}
		}
	}
}

// more reads on.
func (l *wsLink) more() error {
	var p [8 << 10]byte
	n, err := l.in.Read(p[:])
	l.buf = append(l.buf[:len(l.buf):len(l.buf)], p[:n]...)
	return err
}

func (l *wsLink) cut() { cutConn(l.conn) }
