package stream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

func TestStream(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		room := newRoom(false)
		s := serve(t, &Handler{Acceptor: room}, m)
		r := s.do("GET", "/a/b?c=d", "", wantsSSE, "Authorization: me", "Sec-Fetch-Mode: cors", "Last-Event-Id: 7")
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform",
			"X-Accel-Buffering": "no", "X-Middleware": "kept", "Longwire-Link": "", "Longwire-Secret": "",
		} {
			if got := r.resp.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if r.resp.ContentLength != -1 || (len(r.resp.TransferEncoding) == 1) == m.http2 {
			t.Errorf("length %d, transfer encoding %q", r.resp.ContentLength, r.resp.TransferEncoding)
		}
		c := next(t, room.opened)
		i := c.Info()
		if i.Transport != "sse" || i.Target != "/a/b?c=d" || i.Parked != m.parked() || (i.TLS != nil) != m.secure ||
			i.Local.String() != s.Listener.Addr().String() || !i.Remote.Addr().IsLoopback() {
			t.Errorf("info %+v", i)
		}
		for name, want := range map[string]string{"Authorization": "me", "Last-Event-ID": "7", "Accept": "", "Sec-Fetch-Mode": ""} {
			if got := i.Header.Get(name); got != want {
				t.Errorf("header %s: %q, want %q", name, got, want)
			}
		}
		send(t, c, longwire.Text, "one\ntwo")
		send(t, c, longwire.JSON, "{\n\"a\": 1}")
		send(t, c, longwire.Binary, "\xff\x00")
		if line := r.line(); !strings.HasPrefix(line, "retry: ") {
			t.Fatalf("first line %q", line)
		}
		r.want("", "data: one", "data: two", "", `data: {"a":1}`, "", "event: binary", "data: /wA=", "")
		c.CloseWith(longwire.Close{Code: wire.CodeDraining, Reason: "soon", Retry: 1500 * time.Millisecond})
		r.want("retry: 1500", "event: close", `data: {"code":"draining","reason":"soon","retry":1500}`, "")
		if rest := r.all(); rest != "" {
			t.Errorf("then %q", rest)
		}
		if cl := next(t, room.closed); cl.Code != wire.CodeDraining || cl.Remote {
			t.Errorf("closed: %v", cl)
		}
	})
}

func TestNegotiation(t *testing.T) {
	for _, tt := range []struct {
		name, query, accept string
		encoders            []*Encoder
		want                string
	}{
		{"nothing asked", "", "", nil, "ndjson"},
		{"anything", "", "*/*", nil, "ndjson"},
		{"a page", "", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", nil, "ndjson"},
		{"EventSource", "", "text/event-stream", nil, "sse"},
		{"in capitals, with a parameter", "", "text/html, Text/Event-Stream;q=0.5", nil, "sse"},
		{"the client's order", "", "text/event-stream, application/x-ndjson", nil, "sse"},
		{"wait", "?wait=0s", "text/event-stream", nil, "poll"},
		{"a link without Upstream", "?link=x", "", nil, "ndjson"},
		{"fixed", "?wait=0s", "text/event-stream", []*Encoder{Lines}, "lines"},
		{"polls only", "?wait=0s", "", []*Encoder{Poll}, "poll"},
		{"JSON is not asked for by type", "", "application/json", nil, "ndjson"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			room := newRoom(true)
			s := serve(t, &Handler{Acceptor: room, Encoders: tt.encoders}, modes[0])
			r := s.do("GET", "/"+tt.query, "", "Accept: "+tt.accept)
			if got := next(t, room.opened).Info().Transport; got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			r.cancel()
		})
	}
}

// Several bounded streams share one connection, also when their requests are
// pipelined, and whoever served them.
func TestKeepAlive(t *testing.T) {
	for _, m := range modes {
		if m.http2 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			p := &longwire.Plain{Open: func(c *longwire.Conn) error {
				c.Send(longwire.Text, []byte("hello"))
				c.Send(longwire.Text, []byte(c.Info().Target))
				c.Close("", "")
				return nil
			}}
			s := serve(t, &Handler{Acceptor: p, Encoders: []*Encoder{Lines}}, m)
			c := s.dial()
			for i := range 5 {
				c.say(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i))
				if got, want := c.body(), fmt.Sprintf("hello\n/%d\n", i); got != want {
					t.Fatalf("stream %d: %q, want %q", i, got, want)
				}
			}
			c.say("GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if got := c.body(); got != "hello\n/a\n" {
				t.Fatalf("pipelined: %q", got)
			}
			if resp, err := http.ReadResponse(c.Reader, &http.Request{Method: "HEAD"}); err != nil || resp.Header.Get("Content-Type") != Lines.ContentType {
				t.Fatal(resp, err)
			}
			if got := c.body(); got != "hello\n/c\n" {
				t.Fatalf("last: %q", got)
			}
			if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
				t.Errorf("at the end %q, %v", rest, err)
			}
		})
	}
}

func TestHTTP10(t *testing.T) {
	for _, header := range []string{"", "Connection: keep-alive\r\n"} {
		room := newRoom(true)
		s := serve(t, &Handler{Acceptor: room}, modes[0])
		c := s.dial()
		c.say("GET / HTTP/1.0\r\n" + header + "\r\n")
		l := next(t, room.opened)
		send(t, l, longwire.Text, "x")
		l.Close("", "")
		resp := c.response()
		b, err := io.ReadAll(resp.Body)
		if err != nil || !strings.HasPrefix(string(b), "\"x\"\n{\"op\":\"close\"") || len(resp.TransferEncoding) > 0 || !resp.Close {
			t.Errorf("%q, %v, %q", b, err, resp.TransferEncoding)
		}
	}
}

func TestMethods(t *testing.T) {
	room := newRoom(true)
	for _, upstream := range []bool{false, true} {
		s := serve(t, &Handler{Acceptor: room, Upstream: upstream}, modes[0])
		allow := "GET, HEAD"
		if upstream {
			allow += ", POST"
		}
		for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "POST"} {
			if method == "POST" && upstream {
				continue
			}
			r := s.do(method, "/", "")
			if got := r.resp.Header.Get("Allow"); got != allow {
				t.Errorf("%s: Allow: %q", method, got)
			}
			r.wantStatus(405, "method_not_allowed")
		}
		for query, want := range map[string]string{"": NDJSON.ContentType, "?wait=1s": Poll.ContentType} {
			r := s.do("HEAD", "/"+query, "")
			r.wantStatus(200, "")
			if got := r.resp.Header.Get("Content-Type"); got != want || r.resp.Header.Get("X-Middleware") != "kept" {
				t.Errorf("HEAD %s: %q", query, r.resp.Header)
			}
		}
	}
	if len(room.opened) > 0 {
		t.Error("a link was opened")
	}
}

// A refusal has the status of its code, but what may be tried again EventSource
// must be told with status 200. The connection serves on.
func TestRefused(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		for _, tt := range []struct {
			name, accept string
			err          error
			status       int
			code         string
		}{
			{"forbidden", wantsSSE, errors.New("secret reason"), 403, "forbidden"},
			{"for good", wantsSSE, &wire.Error{Code: wire.CodeOverloaded, Retry: -1}, 503, "overloaded"},
			{"for now", wantsLines, &longwire.Close{Code: wire.CodeOverloaded, Retry: 1500 * time.Millisecond}, 503, "overloaded"},
			{"for now, EventSource", wantsSSE, &longwire.Close{Code: wire.CodeOverloaded, Retry: 1500 * time.Millisecond}, 200, ""},
			{"a code of no error", wantsLines, &longwire.Close{}, 503, "normal"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				a := acceptor(func(longwire.Link) (longwire.Receiver, error) { return nil, tt.err })
				s := serve(t, &Handler{Acceptor: a}, m)
				for range 2 {
					r := s.do("GET", "/", "", tt.accept)
					if tt.status == 200 {
						r.want("retry: 1500", "event: close")
					}
					r.wantStatus(tt.status, tt.code)
					if after := r.resp.Header.Get("Retry-After"); tt.name == "for now" && after != "2" {
						t.Errorf("Retry-After: %q", after)
					}
					if r.resp.Header.Get("X-Middleware") != "kept" {
						t.Error("a middleware's header is lost")
					}
				}
			})
		}
	})
}

// acceptor is a function as an Acceptor.
type acceptor func(longwire.Link) (longwire.Receiver, error)

func (a acceptor) Accept(_ time.Time, l longwire.Link) (longwire.Receiver, error) { return a(l) }

// The end of a client ends its link: however it goes.
func TestClientGone(t *testing.T) {
	for _, m := range modes {
		if m.http2 {
			continue
		}
		for _, tt := range []struct {
			name  string
			leave func(c *conn)
			want  wire.Code
		}{
			{"closes", func(c *conn) { c.Conn.Close() }, wire.CodeNormal},
			{"finishes writing", func(c *conn) { c.Conn.(interface{ CloseWrite() error }).CloseWrite() }, wire.CodeNormal},
		} {
			t.Run(m.name+" "+tt.name, func(t *testing.T) {
				room := newRoom(true)
				s := serve(t, &Handler{Acceptor: room}, m)
				c := s.dial()
				c.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				next(t, room.opened)
				c.response()
				tt.leave(c)
				if cl := next(t, room.closed); cl.Code != tt.want || !cl.Remote {
					t.Errorf("%v", cl)
				}
			})
		}
	}
	t.Run("HTTP2 cancels", func(t *testing.T) {
		room := newRoom(true)
		s := serve(t, &Handler{Acceptor: room}, modes[4])
		r := s.do("GET", "/", "")
		next(t, room.opened)
		r.cancel()
		if cl := next(t, room.closed); !cl.Remote {
			t.Errorf("%v", cl)
		}
	})
}

// A client that does not read is held back: its link is full and drains later,
// the others live, and no message is lost or doubled.
func TestSlowReader(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		room := newRoom(false)
		s := serve(t, &Handler{Acceptor: room}, m)
		slow := s.do("GET", "/slow", "", wantsLines)
		c := next(t, room.opened)
		const size = 8 << 10
		sent := 0
		for ; ; sent++ {
			if err := c.Send(longwire.Text, fmt.Appendf(nil, "%d %s", sent, strings.Repeat("x", size))); errors.Is(err, longwire.ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Microsecond) // let the loop take it: the queue is what is to be filled
		}
		other := s.do("GET", "/other", "", wantsLines)
		send(t, next(t, room.opened), longwire.Text, "lives")
		other.want(`"lives"`)
		wrote := make(chan error)
		go func() { wrote <- c.SendWait(t.Context(), longwire.Text, []byte("after")) }()
		for i := range sent {
			if line := slow.line(); !strings.HasPrefix(line, fmt.Sprintf("\"%d x", i)) {
				t.Fatalf("message %d: %.30q", i, line)
			}
		}
		slow.want(`"after"`)
		if err := next(t, wrote); err != nil {
			t.Error(err)
		}
	})
}

// One message to many links is framed once for each encoding and version of HTTP.
func TestBroadcastFramesOnce(t *testing.T) {
	framed := make(chan struct{}, 100)
	e := *Lines
	e.Append = func(dst []byte, k longwire.Kind, p []byte) []byte {
		framed <- struct{}{}
		return Lines.Append(dst, k, p)
	}
	room := newRoom(true)
	s := serve(t, &Handler{Acceptor: room, Encoders: []*Encoder{&e}}, modes[0])
	m := longwire.NewMessage(longwire.Text, []byte("all"))
	var rs []*reading
	for range 5 {
		rs = append(rs, s.do("GET", "/", ""))
		if err := next(t, room.opened).SendMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range rs {
		r.want("all")
	}
	if len(framed) != 1 {
		t.Errorf("framed %d times", len(framed))
	}
}

// An encoder that has nothing to say of a message does not end the response.
func TestNothingIsNoChunk(t *testing.T) {
	e := *Lines
	e.Append = func(dst []byte, k longwire.Kind, p []byte) []byte {
		if k == longwire.Binary {
			return dst
		}
		return Lines.Append(dst, k, p)
	}
	e.Open = func(dst []byte, _ *Opening) []byte { return dst }
	room := newRoom(true)
	s := serve(t, &Handler{Acceptor: room, Encoders: []*Encoder{&e}}, modes[0])
	r := s.do("GET", "/", "")
	c := next(t, room.opened)
	send(t, c, longwire.Binary, "x")
	send(t, c, longwire.Text, "y")
	r.want("y")
}

// A header that cannot be sent harms its own response only.
func TestBadMiddlewareHeader(t *testing.T) {
	room := newRoom(true)
	h := &Handler{Acceptor: room}
	s := serve(t, h, modes[0])
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.Header()["X-Bad"] = []string{"a\r\nInjected: b"}
		}
		inner.ServeHTTP(w, r)
	})
	c := s.dial()
	c.say("GET /bad HTTP/1.1\r\nHost: x\r\n\r\n")
	if b, err := io.ReadAll(c); len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%q, %v", b, err)
	}
	if cl := next(t, room.closed); cl.Code != wire.CodeInternal {
		t.Errorf("%v", cl)
	}
	r := s.do("GET", "/", "")
	<-room.opened
	send(t, next(t, room.opened), longwire.Text, "ok")
	r.want(`"ok"`)
}

func TestHandlerPanics(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		p := &longwire.Plain{Message: func(*longwire.Conn, longwire.Kind, []byte) { panic("on purpose") }, Log: quiet}
		s := serve(t, &Handler{Acceptor: p, Upstream: true}, m)
		r := s.do("GET", "/", "", wantsLines)
		other := s.do("GET", "/", "", wantsLines)
		s.post(r, "x").wantStatus(202, "")
		if line := r.line(); !strings.Contains(line, `"code":"handler_panic"`) {
			t.Errorf("%q", line)
		}
		if len(other.resp.Header.Get("Longwire-Link")) != 22 {
			t.Error("no link")
		}
		s.post(other, "x").wantStatus(202, "")
		other.line()
	})
}

func TestShutdown(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		room := newRoom(false)
		h := &Handler{Acceptor: room, Upstream: true}
		s := serve(t, h, m)
		r := s.do("GET", "/", "", wantsLines)
		link, secret := s.openPoll()
		next(t, room.opened)
		next(t, room.opened)
		if err := h.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if cl := next(t, room.closed); cl.Code != wire.CodeDraining {
				t.Errorf("%v", cl)
			}
		}
		if line := r.line(); !strings.Contains(line, `"code":"draining"`) {
			t.Errorf("%q", line)
		}
		if got := s.poll(link, secret, "").all(); !strings.Contains(got, `"close":{"code":"draining"`) {
			t.Errorf("%q", got)
		}
		s.do("GET", "/", "").wantStatus(503, "draining")
		s.do("POST", "/", "").wantStatus(503, "draining")
		s.do("GET", "/?wait=1s", "").wantStatus(503, "draining")
		es := s.do("GET", "/", "", wantsSSE)
		es.line()
		es.want("event: close")
		es.wantStatus(200, "")
	})
}
