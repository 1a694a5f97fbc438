package ws

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

// ask sends a request as it stands and returns the answer.
func ask(t *testing.T, s *httptest.Server, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, request)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestHandshake(t *testing.T) {
	const (
		key     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
		version = "Sec-WebSocket-Version: 13"
		upgrade = "Upgrade: websocket"
		connect = "Connection: Upgrade"
	)
	get := func(lines ...string) string {
		return "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	for _, tt := range []struct {
		name    string
		request string
		status  int
		code    wire.Code
		header  [2]string // that the answer must have
	}{
		{"good", get(upgrade, connect, key, version), 101, "", [2]string{"Sec-Websocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}},
		{"upgrade in capitals, connection a list", get("Upgrade: WebSocket", "Connection: keep-alive, upgrade", key, version), 101, "", [2]string{"Upgrade", "websocket"}},
		{"connection in two lines", get(upgrade, "Connection: keep-alive", connect, key, version), 101, "", [2]string{}},
		{"upgrade a list", get("Upgrade: h2c, websocket", connect, key, version), 101, "", [2]string{}},
		{"extensions offered", get(upgrade, connect, key, version, "Sec-WebSocket-Extensions: permessage-deflate"), 101, "", [2]string{"Sec-Websocket-Extensions", ""}},
		{"spaces around the key", get(upgrade, connect, "Sec-WebSocket-Key:   dGhlIHNhbXBsZSBub25jZQ==  ", version), 101, "", [2]string{}},

		{"POST", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405, wire.CodeMethodNotAllowed, [2]string{"Allow", "GET"}},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n" + upgrade + "\r\n" + connect + "\r\n" + key + "\r\n" + version + "\r\n\r\n", 400, wire.CodeBadUpgrade, [2]string{}},
		{"a page", get("Accept: text/html"), 426, wire.CodeBadUpgrade, [2]string{"Upgrade", "websocket"}},
		{"another upgrade", get("Upgrade: h2c", connect, key, version), 426, wire.CodeBadUpgrade, [2]string{"Connection", "Upgrade"}},
		{"no connection", get(upgrade, key, version), 400, wire.CodeBadUpgrade, [2]string{}},
		{"connection only contains the word", get(upgrade, "Connection: upgrades", key, version), 400, wire.CodeBadUpgrade, [2]string{}},
		{"no version", get(upgrade, connect, key), 426, wire.CodeBadUpgrade, [2]string{"Sec-Websocket-Version", "13"}},
		{"version 8", get(upgrade, connect, key, "Sec-WebSocket-Version: 8"), 426, wire.CodeBadUpgrade, [2]string{"Sec-Websocket-Version", "13"}},
		{"two versions", get(upgrade, connect, key, version, version), 426, wire.CodeBadUpgrade, [2]string{"Sec-Websocket-Version", "13"}},
		{"version list", get(upgrade, connect, key, "Sec-WebSocket-Version: 13, 8"), 426, wire.CodeBadUpgrade, [2]string{"Sec-Websocket-Version", "13"}},
		{"no key", get(upgrade, connect, version), 400, wire.CodeBadUpgrade, [2]string{}},
		{"two keys", get(upgrade, connect, key, key, version), 400, wire.CodeBadUpgrade, [2]string{}},
		{"a short key", get(upgrade, connect, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", version), 400, wire.CodeBadUpgrade, [2]string{}},
		{"a key that is not base64", get(upgrade, connect, "Sec-WebSocket-Key: !GhlIHNhbXBsZSBub25jZQ==", version), 400, wire.CodeBadUpgrade, [2]string{}},
		{"foreign origin", get(upgrade, connect, key, version, "Origin: http://b"), 403, wire.CodeBadOrigin, [2]string{}},
		{"a foreign subprotocol", get(upgrade, connect, key, version, "Sec-WebSocket-Protocol: x"), 400, wire.CodeBadUpgrade, [2]string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, &Handler{Acceptor: &longwire.Plain{}}, false)
			resp := ask(t, s, tt.request)
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
			if got := resp.Header.Get(tt.header[0]); tt.header[0] != "" && got != tt.header[1] {
				t.Errorf("%s: %q, want %q", tt.header[0], got, tt.header[1])
			}
			if tt.code == "" {
				return
			}
			var problem struct {
				Code   wire.Code
				Status int
				Detail string
			}
			if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
				t.Fatal(err)
			}
			if problem.Code != tt.code || problem.Status != tt.status || problem.Detail == "" {
				t.Errorf("problem %+v, want code %s", problem, tt.code)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
}

func TestSubprotocols(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ours    []string
		require bool
		offers  []string // one header line each
		want    string   // "-": refused
	}{
		{"none, none", nil, false, nil, ""},
		{"ours is the order", []string{"b", "a"}, false, []string{"a, b"}, "b"},
		{"in two lines", []string{"a"}, false, []string{"x,y", " a"}, "a"},
		{"none offered", []string{"a"}, false, nil, ""},
		{"none offered, one required", []string{"a"}, true, nil, "-"},
		{"nothing but commas", []string{"a"}, false, []string{" , ,"}, ""},
		{"none known", []string{"a"}, false, []string{"b"}, "-"},
		{"case matters", []string{"a"}, false, []string{"A"}, "-"},
		{"we have none", nil, false, []string{"a"}, "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &Handler{Subprotocols: tt.ours, RequireSubprotocol: tt.require}
			i, refused := h.choose(tt.offers)
			got := "-"
			if refused == nil {
				got = ""
			}
			if i >= 0 {
				got = h.Subprotocols[i]
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// What middleware has set goes out with the answer, but nothing that contradicts it.
func TestMiddlewareHeaders(t *testing.T) {
	h := &Handler{Acceptor: echo(true)}
	s := serve(t, h, false)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("Sec-WebSocket-Protocol", "nobody-asked")
		w.Header().Set("Upgrade", "h2c")
		w.Header().Set("Content-Length", "7")
		h.ServeHTTP(w, r)
	})
	c := dial(t, s, nil)
	if got := c.resp.Header["Set-Cookie"]; len(got) != 2 || got[1] != "b=2" {
		t.Errorf("Set-Cookie %q", got)
	}
	for name, want := range map[string]string{"Sec-Websocket-Protocol": "", "Upgrade": "websocket", "Connection": "Upgrade", "Content-Length": ""} {
		if got := strings.Join(c.resp.Header[name], "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	c.send(frame.Text, "x")
	c.want(`text "x"`)
}

func TestHTTP2IsRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(&Handler{Acceptor: echo(true), Engine: newEngine(t, nil), Log: quiet})
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	for _, method := range []string{"GET", "CONNECT"} {
		req, _ := http.NewRequestWithContext(t.Context(), method, s.URL, http.NoBody)
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != 400 || !strings.Contains(string(body), "HTTP/1.1") {
			t.Errorf("%s: %s %s: %s", method, resp.Proto, resp.Status, body)
		}
	}
}

// hidden is a middleware's ResponseWriter that hides what lies beneath.
type hidden struct{ http.ResponseWriter }

func TestMiddlewareThatHidesHijack(t *testing.T) {
	h := &Handler{Acceptor: echo(true)}
	s := serve(t, h, false)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(hidden{w}, r) })
	resp := ask(t, s, request())
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 500 || !strings.Contains(string(body), "Unwrap") {
		t.Errorf("%s: %s", resp.Status, body)
	}
}

// A body is read and dropped, if there is not too much of it.
func TestHandshakeWithBody(t *testing.T) {
	s := serve(t, &Handler{Acceptor: echo(true)}, false)
	for _, tt := range []struct{ name, send, want string }{
		{"short", "Content-Length: 3\r\n\r\nabc", "101 Switching Protocols"},
		{"long", "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 300_000), "400 Bad Request"},
		{"cut short", "Transfer-Encoding: chunked\r\n\r\n!\r\n", "400 Bad Request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if resp := ask(t, s, strings.TrimSuffix(request(), "\r\n")+tt.send); resp.Status != tt.want {
				body, _ := io.ReadAll(resp.Body)
				t.Errorf("%s: %s, want %s", resp.Status, body, tt.want)
			}
		})
	}
}

func TestWithoutAcceptor(t *testing.T) {
	if resp := ask(t, serve(t, &Handler{}, false), request()); resp.StatusCode != 500 {
		t.Errorf("status %s", resp.Status)
	}
}

// A connection that net/http did not get from our listener is served all the same.
func TestForeignTLSListener(t *testing.T) {
	s := httptest.NewTLSServer(&Handler{Acceptor: echo(false), Engine: newEngine(t, nil), Log: quiet})
	defer s.Close()
	c := dial(t, s, masked(frame.Text, "first"))
	c.want(`text "first"`)
	c.send(frame.Binary, "x")
	c.want(`binary "x"`)
	c.write(closeFrame(1001, ""))
	c.wantClose(1001)
}

func TestAcceptorRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want uint16
	}{
		{"any error", context.Canceled, wire.CodeForbidden.CloseCode()},
		{"a wire error", wire.Errorf(wire.CodeUnauthorized, "no"), wire.CodeUnauthorized.CloseCode()},
		{"a Close", &longwire.Close{Number: 3333, Reason: "no"}, 3333},
	} {
		for _, onLoop := range []bool{true, false} {
			p := echo(onLoop)
			p.Open = func(*longwire.Conn) error { return tt.err }
			c := dial(t, serve(t, &Handler{Acceptor: p}, false), masked(frame.Text, "ahead"))
			if got := c.next(); !strings.HasPrefix(got, fmt.Sprintf("close %d ", tt.want)) {
				t.Errorf("%s: got %s, want close %d", tt.name, got, tt.want)
			}
			c.write(closeFrame(tt.want, ""))
			c.want("end")
		}
	}
}
