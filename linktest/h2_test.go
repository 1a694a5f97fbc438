package linktest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/linktest"
	"github.com/longwire/longwire/wire"
)

func TestSSEOverHTTP2(t *testing.T) { linktest.Run(t, sseHTTP2) }

var sseHTTP2 = linktest.Way{
	Name: "sse over http/2", Transport: "sse", Kinds: []longwire.Kind{longwire.Text, longwire.Binary}, Without: "\r",
	Codes: true, Reasons: true, Posts: true, TLS: true, Target: target, Header: header, Unparked: true,
	Gone: wire.CodeNormal, // net/http tells of a stream's end, not why
	Serve: func(t *testing.T, o linktest.Options) func() (linktest.Client, error) {
		addr, roots := serveHTTP(t, streamHandler(t, o), true)
		return func() (linktest.Client, error) {
			c := &h2Client{poster: newPoster(addr, roots)}
			c.client.Transport = &http.Transport{
				DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
					conn, raw, err := dialHTTP(addr, roots, "h2")
					c.tcp = raw
					return conn, err
				},
				ForceAttemptHTTP2: true,
			}
			if err := c.get(); err != nil {
				c.poster.close()
				return nil, err
			}
			return c, nil
		}
	},
}

// An h2Client has its stream and its requests on one connection.
type h2Client struct {
	*poster
	tcp  *net.TCPConn
	body io.ReadCloser
	in   *bufio.Reader
}

func (c *h2Client) get() error {
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, c.base, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Linktest", header)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	c.body, c.in = resp.Body, bufio.NewReader(resp.Body)
	switch {
	case resp.ProtoMajor != 2:
		return fmt.Errorf("the response came over %s", resp.Proto)
	case resp.StatusCode != http.StatusOK:
		return problem(resp)
	}
	c.meet(resp.Header)
	return nil
}

func (c *h2Client) Send(kind longwire.Kind, p []byte) error { return c.post(kind, p) }

func (c *h2Client) Receive() (longwire.Kind, []byte, error) { return readSSE(c.in) }

func (c *h2Client) Close() error {
	err := c.body.Close()
	c.poster.close()
	return err
}

func (c *h2Client) Cut() {
	c.tcp.SetLinger(0)
	c.tcp.Close()
	c.poster.close()
}

func (c *h2Client) Addresses() (local, remote string) {
	return c.tcp.LocalAddr().String(), c.tcp.RemoteAddr().String()
}
