package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/longwire/longwire/wire"
)

// Bad input gets a stable code and says what to do.

func TestBadRequests(t *testing.T) {
	r := start(t, nil)
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     wire.Code
	}{
		{"unknown path", "GET", "/nothing", "", nil, 404, wire.CodeNotFound},
		{"no channel", "GET", "/channels", "", nil, 404, wire.CodeNotFound},
		{"an empty channel", "GET", "/channels/", "", nil, 404, wire.CodeNotFound},
		{"below a channel", "GET", "/channels/a/nothing", "", nil, 404, wire.CodeNotFound},
		{"below history", "GET", "/channels/a/history/", "", nil, 404, wire.CodeNotFound},
		{"no session's id", "GET", "/connect/x", "", nil, 404, wire.CodeNotFound},
		{"bad escape", "GET", "/channels/a?since=%zz", "", nil, 400, wire.CodeBadRequest},
		{"bad escape for history", "GET", "/channels/a/history?since=%zz", "", nil, 400, wire.CodeBadRequest},
		{"bad escape for a session", "GET", "/connect?since=%zz", "", nil, 400, wire.CodeBadRequest},
		{"wrong method on history", "POST", "/channels/a/history", "", nil, 405, wire.CodeMethodNotAllowed},
		{"wrong method on presence", "PUT", "/channels/a/presence", "", nil, 405, wire.CodeMethodNotAllowed},
		{"wrong method on sessions", "PATCH", "/connect", "", nil, 405, wire.CodeMethodNotAllowed},
		{"unknown method", "TRACE", "/channels/a", "", nil, 405, wire.CodeMethodNotAllowed},
		{"another version", "GET", "/connect", "", []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "8", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, 426, wire.CodeBadUpgrade},
		{"no key", "GET", "/channels/a", "", []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13"}, 400, wire.CodeBadUpgrade},
		{"below the page", "GET", "/app.js/x", "", nil, 404, wire.CodeNotFound},
		{"reading a bad channel", "GET", "/channels/a%20b", "", nil, 400, wire.CodeBadChannel},
		{"publishing to a bad channel", "POST", "/channels/a..b", "x", nil, 400, wire.CodeBadChannel},
		{"bad wait", "GET", "/channels/a?wait=soon", "", nil, 400, wire.CodeBadRequest},
		{"not JSON", "POST", "/channels/a", "{x}", []string{"Content-Type", "application/json"}, 400, wire.CodeBadRequest},
		{"too large", "POST", "/channels/a", strings.Repeat("x", wire.MaxMessage+1), nil, 413, wire.CodeTooLarge},
		{"wrong method on a channel", "PUT", "/channels/a", "", nil, 405, wire.CodeMethodNotAllowed},
		{"wrong method on the page", "POST", "/", "", nil, 405, wire.CodeMethodNotAllowed},
		{"wrong method on health", "DELETE", "/healthz", "", nil, 405, wire.CodeMethodNotAllowed},
		{"other host", "GET", "/channels/a", "", []string{"Host", "evil.example:8080"}, 421, wire.CodeBadHost},
		{"other host for the page", "GET", "/", "", []string{"Host", "127.0.0.1.evil.example"}, 421, wire.CodeBadHost},
		{"foreign page publishes", "POST", "/channels/a", "x", []string{"Origin", "https://evil.example"}, 403, wire.CodeBadOrigin},
		{"foreign page forgets", "DELETE", "/channels/a/history", "", []string{"Origin", "https://evil.example"}, 403, wire.CodeBadOrigin},
		{"page without origin publishes", "POST", "/channels/a", "x", []string{"Origin", "null"}, 403, wire.CodeBadOrigin},
		{"foreign page asks first", "OPTIONS", "/channels/a", "", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, 403, wire.CodeBadOrigin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, header, body := r.do(tt.method, tt.path, tt.body, tt.header...)
			if status != tt.status || header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%d %s %s, want %d", status, header.Get("Content-Type"), body, tt.status)
			}
			if f := parseFrame(t, body); f.Code != string(tt.code) {
				t.Errorf("code %s, want %s", f.Code, tt.code)
			}
			if (status == 426) != (header.Get("Sec-WebSocket-Version") == "13" && header.Get("Upgrade") == "websocket") {
				t.Errorf("Upgrade %q", header.Get("Upgrade"))
			}
			if (status == 405) != (header.Get("Allow") != "") {
				t.Errorf("Allow %q", header.Get("Allow"))
			}
		})
	}
}

// Without history there is nothing to poll for.
func TestNoHistory(t *testing.T) {
	r := start(t, &Options{HTTP: "127.0.0.1:0", Store: Store{HistoryCount: -1}})
	status, _, body := r.do("GET", "/channels/a?wait=1s", "")
	if status != 409 || parseFrame(t, body).Code != string(wire.CodeNeedsHistory) {
		t.Errorf("%d %s", status, body)
	}
}

// A foreign page does not get a WebSocket either.
func TestForeignWebSocket(t *testing.T) {
	r := start(t, nil)
	for _, path := range []string{"/connect", "/channels/news"} {
		for origin, want := range map[string]int{
			"https://evil.example": 403, "null": 403, "http://localhost:3000": 101, r.HTTPURL(): 101,
		} {
			if _, resp := r.upgrade(path, "Origin: "+origin+"\r\n"); resp.StatusCode != want {
				t.Errorf("%s from %s: %s, want %d", path, origin, resp.Status, want)
			}
		}
	}
}

func TestSubprotocols(t *testing.T) {
	r := start(t, nil)
	for offer, want := range map[string]int{"longwire.v1.json": 101, "x, longwire.v1.json": 101, "longwire.v9": 400} {
		if _, resp := r.upgrade("/connect", "Sec-WebSocket-Protocol: "+offer+"\r\n"); resp.StatusCode != want {
			t.Errorf("offering %s: %s, want %d", offer, resp.Status, want)
		}
	}
}

// What one TCP client may not send, ends it with a close frame, or with what it
// understands, and no other.
func TestBadLines(t *testing.T) {
	r := start(t, nil)
	other := r.tcpPeer()
	for _, tt := range []struct {
		name, send, want string
	}{
		{"not UTF-8", "{\"op\":\"\xff\"}\n", `"code":"bad_utf8"`},
		{"an endless line", strings.Repeat("x", wire.MaxFrame(0)+2), `"op":"close","code":"too_large"`},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
		{"HTTP names the port", "POST /channels/a HTTP/1.0\r\n\r\n", "HTTP is at " + r.HTTPURL() + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := r.dialTCP()
			go io.WriteString(c, tt.send) // may be cut short
			got := make([]byte, 0, 4096)
			buf := make([]byte, 4096)
			for !bytes.Contains(got, []byte(tt.want)) {
				n, err := c.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					t.Fatalf("%q, then %v; want %q", got, err, tt.want)
				}
			}
		})
	}
	t.Run("an HTTP client", func(t *testing.T) {
		resp, err := http.Get("http://" + r.TCPAddr() + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); resp.StatusCode != 400 || err != nil {
			t.Errorf("%s %q %v", resp.Status, body, err)
		}
	})
	t.Run("TLS", func(t *testing.T) {
		c := r.dialTCP()
		c.Write([]byte("\x16\x03\x01\x02\x00\x01"))
		if p, err := io.ReadAll(c); len(p) > 0 || err != nil {
			t.Errorf("%q %v, want the end at once", p, err)
		}
	})
	other.send(`{"op":"ping"}`)
	if f := other.frame(); f.Op != "pong" {
		t.Errorf("another client: %+v", f)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	cert, key := certificate(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, tt := range []struct {
		name  string
		o     Options
		usage bool
		want  string
	}{
		{"nothing", Options{}, true, "nothing to serve"},
		{"all off", Options{HTTP: "off", TCP: "off"}, true, "nothing to serve"},
		{"no port", Options{HTTP: "127.0.0.1"}, true, "--http"},
		{"bad port", Options{TCP: "127.0.0.1:http"}, true, "--tcp"},
		{"high port", Options{TCP: "127.0.0.1:70000"}, true, "0 to 65535"},
		{"unknown host", Options{TCP: "no.such.host.invalid:1"}, true, "not known"},
		{"certificate alone", Options{HTTP: "127.0.0.1:0", TLSCert: cert}, true, "--tls-key"},
		{"key alone", Options{HTTP: "127.0.0.1:0", TLSKey: key}, true, "--tls-cert"},
		{"no certificate", Options{HTTP: "127.0.0.1:0", TLSCert: key, TLSKey: key}, false, "PEM"},
		{"bad origin", Options{HTTP: "127.0.0.1:0", AllowOrigin: []string{"example.com"}}, true, "https://example.com"},
		{"origin with a path", Options{HTTP: "127.0.0.1:0", AllowOrigin: []string{"https://example.com/"}}, true, "no origin"},
		{"star inside", Options{HTTP: "127.0.0.1:0", AllowOrigin: []string{"https://a.*.com"}}, true, "no origin"},
		{"negative timeout", Options{HTTP: "127.0.0.1:0", ShutdownTimeout: -1}, true, "--shutdown-timeout"},
		{"wide HTTP", Options{HTTP: ":0"}, false, "--insecure"},
		{"wide TCP", Options{HTTP: "127.0.0.1:0", TCP: "0.0.0.0:0"}, false, "--insecure"},
		{"wide IPv6", Options{TCP: "[::]:0"}, false, "--insecure"},
		{"HTTP in use", Options{HTTP: busy.Addr().String()}, false, "--http 127.0.0.1:"},
		{"TCP in use", Options{HTTP: "127.0.0.1:0", TCP: busy.Addr().String()}, false, "--tcp 127.0.0.1:"},
		{"not ours", Options{HTTP: "192.0.2.1:0", Insecure: true}, false, "no address of this machine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(context.Background(), &tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want something with %q", err, tt.want)
			}
			if _, usage := errors.AsType[*UsageError](err); usage != tt.usage {
				t.Errorf("usage error %t, want %t: %v", usage, tt.usage, err)
			}
		})
	}
}
