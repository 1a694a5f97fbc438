package linktest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/linktest"
	"github.com/longwire/longwire/transport/ws"
	"github.com/longwire/longwire/wire"
)

func TestWebSocket(t *testing.T) { linktest.Run(t, webSocket("ws", false)) }

func TestWSS(t *testing.T) { linktest.Run(t, webSocket("wss", true)) }

func webSocket(name string, secure bool) linktest.Way {
	return linktest.Way{
		Name: name, Transport: "ws", Kinds: []longwire.Kind{longwire.Text, longwire.Binary},
		Codes: true, Reasons: true, TLS: secure, Target: target, Header: header,
		Serve: func(t *testing.T, o linktest.Options) func() (linktest.Client, error) {
			addr, roots := serveHTTP(t, &ws.Handler{
				Acceptor: o.Acceptor, Engine: o.Engine, MaxMessage: o.MaxMessage, Log: quiet,
			}, secure)
			return func() (linktest.Client, error) {
				conn, raw, err := dialHTTP(addr, roots)
				if err != nil {
					return nil, err
				}
				c := &wsClient{conn: conn, tcp: raw, in: bufio.NewReader(conn)}
				if err := c.shakeHands(); err != nil {
					raw.Close()
					return nil, err
				}
				return c, nil
			}
		},
	}
}

// A wsClient is the other side of RFC 6455. It sends long messages in pieces.
type wsClient struct {
	conn net.Conn
	tcp  *net.TCPConn
	in   *bufio.Reader

	reader frame.Reader
	p      []byte // read and not yet taken
	buf    [16 << 10]byte

	mu      sync.Mutex
	saidBye bool // guarded by mu: our Close frame is out
}

func (c *wsClient) shakeHands() error {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	_, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nX-Linktest: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n", target, header, key)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != frame.AcceptKey(key) {
		return fmt.Errorf("the handshake was answered %s", resp.Status)
	}
	return nil
}

func (c *wsClient) write(p []byte, bye bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.saidBye {
		return errors.New("we have said goodbye")
	}
	c.saidBye = bye
	_, err := c.conn.Write(p)
	return err
}

func (c *wsClient) Send(kind longwire.Kind, p []byte) error {
	op := frame.Text
	if kind == longwire.Binary {
		op = frame.Binary
	}
	if len(p) < 1000 || len(p)%2 == 0 {
		return c.write(frame.AppendMasked(nil, op, rand.Uint32(), p), false)
	}
	var b []byte
	for begin := 0; begin < len(p); begin += 700 {
		piece := p[begin:min(begin+700, len(p))]
		at := len(b)
		b = frame.AppendMasked(b, op, rand.Uint32(), piece)
		if begin+700 < len(p) {
			b[at] &^= 0x80 // FIN
		}
		op = frame.Continuation
	}
	return c.write(b, false)
}

func (c *wsClient) Receive() (longwire.Kind, []byte, error) {
	for {
		ev, n, err := c.reader.Next(c.p)
		c.p = c.p[n:]
		if err != nil {
			return 0, nil, err
		}
		switch ev.Op {
		case frame.Text:
			return longwire.Text, append([]byte(nil), ev.Data...), nil
		case frame.Binary:
			return longwire.Binary, append([]byte(nil), ev.Data...), nil
		case frame.Ping:
			c.write(frame.AppendMasked(nil, frame.Pong, rand.Uint32(), ev.Data), false)
			continue
		case frame.Close:
			return 0, nil, c.hearClose(ev.Code, string(ev.Data))
		}
		n, err = c.in.Read(c.buf[:])
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // without a Close frame
		}
		if err != nil {
			return 0, nil, err
		}
		c.p = append(c.p[:len(c.p):len(c.p)], c.buf[:n]...)
	}
}

// hearClose answers a Close frame, and sees the server shut down.
func (c *wsClient) hearClose(code uint16, reason string) error {
	c.write(frame.AppendMaskedClose(nil, code, "", rand.Uint32()), true)
	if n, err := io.Copy(io.Discard, c.in); n > 0 || err != nil {
		return fmt.Errorf("behind the Close frame came %d bytes, %v", n, err)
	}
	return &longwire.Close{Code: wire.FromCloseCode(code), Number: code, Reason: reason}
}

func (c *wsClient) Close() error {
	defer c.conn.Close()
	if err := c.write(frame.AppendMaskedClose(nil, frame.CloseNormal, "", rand.Uint32()), true); err != nil {
		return err
	}
	for {
		if _, _, err := c.Receive(); err != nil {
			if cl, ok := err.(*longwire.Close); !ok || cl.Code != wire.CodeNormal {
				return err
			}
			return nil
		}
	}
}

func (c *wsClient) Cut() {
	c.tcp.SetLinger(0)
	c.tcp.Close()
}

func (c *wsClient) Addresses() (local, remote string) {
	return c.tcp.LocalAddr().String(), c.tcp.RemoteAddr().String()
}
