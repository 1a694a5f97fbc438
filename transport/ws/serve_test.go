package ws

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

var quiet = slog.New(slog.DiscardHandler)

func newEngine(t testing.TB, o *longwire.EngineOptions) *longwire.Engine {
	t.Helper()
	e, err := longwire.NewEngine(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("engine: %v", err)
		}
	})
	return e
}

// serve serves h until the test ends. Over TLS, if secure.
func serve(t testing.TB, h *Handler, secure bool) *httptest.Server {
	t.Helper()
	ln, err := longwire.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if h.Engine == nil {
		h.Engine = newEngine(t, nil)
	}
	if h.Log == nil {
		h.Log = quiet
	}
	s := &httptest.Server{Listener: ln, Config: &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}}
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// echo answers every message with itself.
func echo(onLoop bool) *longwire.Plain {
	return &longwire.Plain{
		OnLoop:  onLoop,
		Message: func(c *longwire.Conn, k longwire.Kind, p []byte) { c.Send(k, p) },
		Log:     quiet,
	}
}

// A client is the other side, frame by frame. What goes wrong ends its test.
type client struct {
	t    testing.TB
	conn net.Conn
	br   *bufio.Reader
	resp *http.Response
	in   frame.Reader
	p    []byte // read and not yet taken
}

// dial connects to s and shakes hands. Bytes of ahead go out behind the request, in the same write.
func dial(t testing.TB, s *httptest.Server, ahead []byte, headers ...string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if s.TLS != nil {
		config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.ServerName = "example.com"
		config.NextProtos = nil
		conn = tls.Client(conn, config)
	}
	return shakeHands(t, conn, ahead, headers...)
}

func request(headers ...string) string {
	return "GET /chat?room=1 HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
}

func shakeHands(t testing.TB, conn net.Conn, ahead []byte, headers ...string) *client {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	c := &client{t: t, conn: conn, br: bufio.NewReaderSize(conn, 64<<10)}
	c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(append([]byte(request(headers...)), ahead...)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("status %s: %s", resp.Status, body)
	}
	if got, want := resp.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Fatalf("Sec-WebSocket-Accept %q, want %q", got, want)
	}
	c.resp = resp
	return c
}

func (c *client) write(p []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(p); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// send sends one whole message or control frame.
func (c *client) send(op frame.Opcode, payload string) { c.t.Helper(); c.write(masked(op, payload)) }

func masked(op frame.Opcode, payload string) []byte {
	return frame.AppendMasked(nil, op, rand.Uint32(), []byte(payload))
}

func closeFrame(code uint16, reason string) []byte {
	return frame.AppendMaskedClose(nil, code, reason, rand.Uint32())
}

// next returns what comes next, in words; "end" for the end of the stream, and "cut" for one by reset.
func (c *client) next() string {
	c.t.Helper()
	ev := c.event()
	if ev.Op == frame.None {
		return string(ev.Data)
	}
	return transcribe(ev)
}

// event returns what comes next. If nothing comes any more, its Op is None and its data "end" or "cut".
func (c *client) event() frame.Event {
	c.t.Helper()
	for {
		ev, n, err := c.in.Next(c.p)
		c.p = c.p[n:]
		if err != nil {
			c.t.Fatalf("the server broke the protocol: %v", err)
		}
		if ev.Op != frame.None {
			return ev
		}
		buf := make([]byte, 32<<10)
		m, err := c.br.Read(buf)
		c.p = append(c.p[:len(c.p):len(c.p)], buf[:m]...)
		if err != nil && m == 0 {
			c.conn.Close() // the server waits for it
			switch {
			case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
				return frame.Event{Data: []byte("cut")}
			case len(c.p) > 0:
				c.t.Fatalf("the stream ended in the middle of a frame: %q", c.p)
			}
			return frame.Event{Data: []byte("end")}
		}
	}
}

func transcribe(ev frame.Event) string {
	shown := fmt.Sprintf("%q", ev.Data)
	if len(ev.Data) > 200 {
		shown = summary(len(ev.Data), crc32.ChecksumIEEE(ev.Data))
	}
	switch ev.Op {
	case frame.Close:
		return fmt.Sprintf("close %d %s", ev.Code, shown)
	case frame.Text:
		return "text " + shown
	case frame.Binary:
		return "binary " + shown
	case frame.Ping:
		return "ping " + shown
	}
	return "pong " + shown
}

func summary(n int, sum uint32) string { return fmt.Sprintf("%d bytes, sum %08x", n, sum) }

// want reads and compares.
func (c *client) want(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := c.next(); got != w {
			c.t.Fatalf("got %s, want %s", got, w)
		}
	}
}

// wantClose reads a Close frame with the code, and the end of the stream.
func (c *client) wantClose(code uint16) (reason string) {
	c.t.Helper()
	got := c.next()
	if !strings.HasPrefix(got, fmt.Sprintf("close %d ", code)) {
		c.t.Fatalf("got %s, want close %d", got, code)
	}
	c.want("end")
	return strings.TrimPrefix(got, fmt.Sprintf("close %d ", code))
}

// closings collects what a Plain's Close heard.
type closings chan *longwire.Close

func (ch closings) hook(_ *longwire.Conn, err error) {
	c, ok := err.(*longwire.Close)
	if !ok {
		c = &longwire.Close{Code: "not a *Close", Err: err}
	}
	ch <- c
}

func (ch closings) next(t testing.TB) *longwire.Close {
	t.Helper()
	select {
	case c := <-ch:
		return c
	case <-time.After(patience):
		t.Fatal("Close was not called")
		return nil
	}
}
