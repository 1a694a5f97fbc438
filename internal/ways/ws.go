package ways

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

type wsClient struct {
	raw  net.Conn
	conn net.Conn // the same, or TLS on it
	in   *bufio.Reader
	mute bool

	reader frame.Reader
	p      []byte // read and not yet taken
	buf    [16 << 10]byte

	pings atomic.Int32

	mu sync.Mutex // one writes at a time
}

// large takes what no server sends.
var large = frame.Config{MaxMessage: 64 << 20}

func openWS(t testing.TB, s *Server, o *Options) (Client, error) {
	c, err := dialWS(t, s, "/connect", o)
	if err != nil || o.Silent || o.Query != "" {
		return c, err
	}
	return c, c.Send(o.connectFrame())
}

// DialWS opens a WebSocket at a path of the server.
func DialWS(t testing.TB, s *Server, path, query string) (Client, error) {
	c, err := dialWS(t, s, path, &Options{Query: query})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func dialWS(t testing.TB, s *Server, path string, o *Options) (*wsClient, error) {
	conn, err := s.HTTP(context.Background())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	c := &wsClient{raw: conn, conn: s.secured(conn), mute: o.Mute}
	c.in, c.reader.Config = bufio.NewReader(c.conn), &large
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	u, _ := url.Parse(s.URL(path, o.Query))
	head := "GET " + u.RequestURI() + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" +
		"Connection: Upgrade\r\nSec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Version: 13\r\n"
	if o.Bearer != "" {
		head += "Authorization: Bearer " + o.Bearer + "\r\n"
	}
	if _, err := c.conn.Write([]byte(head + "\r\n")); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, refusal(resp)
	}
	return c, nil
}

func (c *wsClient) Send(f string) error { return c.write(frame.Text, []byte(f)) }

func (c *wsClient) write(op frame.Opcode, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.conn.Write(frame.AppendMasked(nil, op, 0x01020304, p))
	return err
}

func (c *wsClient) Receive() (string, error) {
	for {
		ev, n, err := c.reader.Next(c.p)
		c.p = c.p[n:]
		if err != nil {
			return "", endOf(err)
		}
		switch ev.Op {
		case frame.Text:
			return string(ev.Data), nil
		case frame.Ping:
			c.pings.Add(1)
			if c.mute {
				continue
			}
			if err := c.write(frame.Pong, ev.Data); err != nil {
				return "", endOf(err)
			}
			continue
		case frame.Close:
			c.mu.Lock()
			_, _ = c.conn.Write(frame.AppendMaskedClose(nil, ev.Code, "", 1)) // it may be gone
			c.mu.Unlock()
			return "", &End{Code: wire.FromCloseCode(ev.Code), Reason: string(ev.Data)}
		}
		k, err := c.in.Read(c.buf[:])
		if err != nil {
			return "", endOf(err)
		}
		c.p = append(c.p[:len(c.p):len(c.p)], c.buf[:k]...)
	}
}

// Bye says goodbye as a page does that is done.
func (c *wsClient) Bye() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.conn.Write(frame.AppendMaskedClose(nil, frame.CloseNormal, "", 1))
	return err
}

// SendBinary sends a binary message.
func (c *wsClient) SendBinary(p []byte) error { return c.write(frame.Binary, p) }

// Pings returns how many control pings came.
func (c *wsClient) Pings() int { return int(c.pings.Load()) }

func (c *wsClient) Cut() { cut(c.raw) }

func (c *wsClient) Vanish() { vanish(c.raw) }
