package ways

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/wire"
)

type tcpClient struct {
	raw  net.Conn
	conn net.Conn // the same, or TLS on it
	in   *bufio.Reader
	mute bool
}

func openTCP(t testing.TB, s *Server, o *Options) (Client, error) {
	conn, err := s.TCP(context.Background())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	c := &tcpClient{raw: conn, conn: s.secured(conn), mute: o.Mute}
	c.in = bufio.NewReader(c.conn)
	if o.Silent {
		return c, nil
	}
	return c, c.Send(o.connectFrame())
}

func (c *tcpClient) Send(frame string) error {
	_, err := c.conn.Write([]byte(frame + "\n"))
	return err
}

func (c *tcpClient) Receive() (string, error) {
	f, err := nextLine(c.in)
	if !c.mute && strings.HasPrefix(f, `{"op":"ping"`) {
		_ = c.Send(`{"op":"pong"}`) // it may be gone
	}
	return f, err
}

// nextLine reads the next frame of a stream of lines.
func nextLine(in *bufio.Reader) (string, error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", endOf(err)
		}
		if line = line[:len(line)-1]; line == "" {
			continue
		}
		if end := closeIn(line); end != nil {
			return "", end
		}
		return line, nil
	}
}

// closeIn returns the end that a close frame tells, nil for other frames.
func closeIn(frame string) *End {
	var f struct {
		Code   wire.Code
		Reason string
		Retry  int64
	}
	if !strings.HasPrefix(frame, `{"op":"close"`) || json.Unmarshal([]byte(frame), &f) != nil {
		return nil
	}
	return &End{Code: f.Code, Reason: f.Reason, Retry: time.Duration(f.Retry) * time.Millisecond}
}

// CloseWrite says that nothing more will be sent.
func (c *tcpClient) CloseWrite() error {
	return c.conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *tcpClient) Cut() { cut(c.raw) }

func (c *tcpClient) Vanish() { vanish(c.raw) }

// cut closes a connection without a goodbye, where its network can.
func cut(c net.Conn) {
	switch c := c.(type) {
	case interface{ Cut() }:
		c.Cut()
	case *net.TCPConn:
		_ = c.SetLinger(0)
		c.Close()
	default:
		c.Close()
	}
}
