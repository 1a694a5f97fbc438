package stream

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/park"
)

// The helpers of tests over real sockets: the ways a request can come, servers,
// and clients.

type mode struct {
	name       string
	secure     bool
	http2      bool
	goroutines bool // no epoll
	shy        bool // a middleware that does not let connections go
}

var modes = []mode{
	{name: "HTTP1"},
	{name: "HTTP1 pumped", goroutines: true},
	{name: "HTTP1 held", shy: true},
	{name: "TLS", secure: true},
	{name: "HTTP2", secure: true, http2: true},
}

func (m mode) parked() bool { return !m.http2 && !m.shy && !m.goroutines }

func everyMode(t *testing.T, test func(t *testing.T, m mode)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { test(t, m) })
	}
}

type site struct {
	*httptest.Server
	t *testing.T
	h *Handler
}

// serve serves h until the test ends, with what a middleware would set.
func serve(t *testing.T, h *Handler, m mode) *site {
	t.Helper()
	e, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 2, Goroutines: m.goroutines})
	if err != nil {
		t.Fatal(err)
	}
	h.Engine, h.Log = e, quiet
	ln, err := park.Listen(t.Context(), "tcp", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Middleware", "kept")
		if m.shy {
			w = shy{w}
		}
		route(h, w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Listener.Close()
	s.Listener = ln
	s.EnableHTTP2 = m.http2
	if m.secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v; %d links left", err, h.live.Load())
		}
		s.Client().CloseIdleConnections()
		s.Config.Shutdown(ctx) // what httptest does is not enough for connections that were given back
		s.Close()
		if err := e.Close(ctx); err != nil {
			t.Errorf("engine: %v", err)
		}
	})
	return &site{s, t, h}
}

// shy hides that a connection can be had.
type shy struct{ http.ResponseWriter }

func (s shy) Flush()                             { s.rc().Flush() }
func (s shy) SetReadDeadline(d time.Time) error  { return s.rc().SetReadDeadline(d) }
func (s shy) SetWriteDeadline(d time.Time) error { return s.rc().SetWriteDeadline(d) }
func (s shy) rc() *http.ResponseController       { return http.NewResponseController(s.ResponseWriter) }

// A reading is a response that is being read.
type reading struct {
	*bufio.Reader
	t      *testing.T
	resp   *http.Response
	cancel context.CancelFunc
}

const patient = 10 * time.Second

// do sends a request; header lines are "Name: value".
func (s *site) do(method, path, body string, header ...string) *reading {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { cancel(); resp.Body.Close() })
	return &reading{bufio.NewReader(resp.Body), s.t, resp, cancel}
}

const (
	wantsSSE   = "Accept: text/event-stream"
	wantsLines = "Accept: application/x-ndjson"
)

func (r *reading) line() string {
	r.t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		r.t.Fatalf("reading: %v after %q", err, line)
	}
	return strings.TrimSuffix(line, "\n")
}

// want reads these lines.
func (r *reading) want(lines ...string) {
	r.t.Helper()
	for _, want := range lines {
		if got := r.line(); got != want {
			r.t.Fatalf("line %q, want %q", got, want)
		}
	}
}

func (r *reading) all() string {
	r.t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		r.t.Fatalf("reading: %v after %q", err, b)
	}
	return string(b)
}

func (r *reading) wantStatus(status int, code string) {
	r.t.Helper()
	body := r.all()
	var p struct{ Code string }
	if status >= 400 {
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			r.t.Errorf("%v in %q", err, body)
		}
	}
	if r.resp.StatusCode != status || p.Code != code {
		r.t.Errorf("answered %d %q, want %d %q", r.resp.StatusCode, p.Code, status, code)
	}
}

// A conn speaks HTTP/1 by hand.
type conn struct {
	net.Conn
	*bufio.Reader
	t *testing.T
}

func (c *conn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func (s *site) dial() *conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	if s.TLS != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	c.SetDeadline(time.Now().Add(patient))
	s.t.Cleanup(func() { c.Close() })
	return &conn{c, bufio.NewReader(c), s.t}
}

func (c *conn) say(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *conn) response() *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.Reader, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

func (c *conn) body() string {
	c.t.Helper()
	resp := c.response()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%v after %q", err, b)
	}
	return string(b)
}

// A room is a Plain that tests steer: it notes who comes, says what, and leaves.
type room struct {
	longwire.Plain
	opened chan *longwire.Conn
	heard  chan string
	closed chan *longwire.Close
}

func newRoom(onLoop bool) *room {
	r := &room{
		opened: make(chan *longwire.Conn, 64), heard: make(chan string, 256), closed: make(chan *longwire.Close, 64),
	}
	r.OnLoop = onLoop
	r.Open = func(c *longwire.Conn) error { r.opened <- c; return nil }
	r.Message = func(_ *longwire.Conn, k longwire.Kind, p []byte) { r.heard <- k.String() + " " + string(p) }
	r.Close = func(_ *longwire.Conn, err error) { r.closed <- longwire.CloseOf(err, "") }
	return r
}

func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patient):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func send(t *testing.T, c *longwire.Conn, k longwire.Kind, p string) {
	t.Helper()
	if err := c.Send(k, []byte(p)); err != nil {
		t.Fatal(err)
	}
}
