package stream

import (
	"errors"
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
		{"equal qualities", "", "text/event-stream, application/x-ndjson", nil, "ndjson"},
		{"other equal qualities", "", "application/x-ndjson, text/event-stream", []*Encoder{SSE, NDJSON}, "sse"},
		{"qualities", "", "application/x-ndjson;q=0.2, text/event-stream; charset=utf-8 ; Q=0.3", nil, "sse"},
		{"what is named before what is only allowed", "", "*/*, text/event-stream", nil, "sse"},
		{"a range of types", "", "*/*, text/*", nil, "sse"},
		{"what is named has its own quality", "", "text/*;q=1, text/event-stream;q=0.1, application/x-ndjson;q=0.2", nil, "ndjson"},
		{"not wanted", "", "text/event-stream;q=0", []*Encoder{SSE, NDJSON}, "ndjson"},
		{"not wanted in thousandths", "", "text/event-stream;q=0.000, */*;q=0.001", []*Encoder{SSE, NDJSON}, "ndjson"},
		{"all but one", "", "*/*, application/x-ndjson;q=0", nil, "sse"},
		{"nothing that is here", "", "image/png", []*Encoder{SSE, NDJSON}, "sse"},
		{"nothing at all", "", "*/*;q=0", []*Encoder{SSE, NDJSON}, "sse"},
		{"no quality", "", "text/event-stream;q=much, application/x-ndjson;q=0.9", nil, "sse"},
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

// Whatever Accept holds, its weights are within bounds, and more of the same
// changes nothing.
func FuzzAccept(f *testing.F) {
	f.Add("text/event-stream;q=0.5, */*;q=0")
	f.Add(`text/*;a="q=1,";q=1.001;q`)
	f.Fuzz(func(t *testing.T, accept string) {
		w := weigh(accept, "text/event-stream")
		if w < refused || w > 4003 || w > 0 && w < 4 {
			t.Errorf("%q weighs %d", accept, w)
		}
		if again := weigh(accept+","+accept, "text/event-stream"); again != w {
			t.Errorf("%q weighs %d, twice %d", accept, w, again)
		}
		if q := weigh(accept, "a/b"); q < refused || q > 4003 {
			t.Errorf("a/b weighs %d", q)
		}
	})
}
