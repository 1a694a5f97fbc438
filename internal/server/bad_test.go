package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	huge := strings.Repeat("x", wire.MaxMessage+1)
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     wire.Code
	}{
		{"unknown path", "GET", "/nothing", "", nil, 404, wire.CodeNotFound},
		{"no channel", "GET", "/channels/", "", nil, 404, wire.CodeNotFound},
		{"below a channel", "GET", "/channels/news/x", "", nil, 404, wire.CodeNotFound},
		{"reading a bad channel", "GET", "/channels/a%20b", "", nil, 400, wire.CodeBadChannel},
		{"reading a pattern", "GET", "/channels/a.*", "", nil, 400, wire.CodeBadChannel},
		{"one bad channel of two", "GET", "/channels/a,b..c", "", nil, 400, wire.CodeBadChannel},
		{"a channel twice", "GET", "/channels/a,a", "", nil, 409, wire.CodeAlreadySubscribed},
		{"too many channels", "GET", "/channels/a" + strings.Repeat(",a", maxRead), "", nil, 400, wire.CodeBadChannel},
		{"bad wait", "GET", "/channels/a?wait=soon", "", nil, 400, wire.CodeBadRequest},
		{"publishing to a bad channel", "POST", "/channels/a..b", "x", nil, 400, wire.CodeBadChannel},
		{"publishing to two", "POST", "/channels/a,b", "x", nil, 400, wire.CodeBadChannel},
		{"not JSON", "POST", "/channels/a", "{x}", []string{"Content-Type", "application/json"}, 400, wire.CodeBadRequest},
		{"two JSON values", "POST", "/channels/a", "1 2", []string{"Content-Type", "application/json"}, 400, wire.CodeBadRequest},
		{"no JSON at all", "POST", "/channels/a", "", []string{"Content-Type", "application/json"}, 400, wire.CodeBadRequest},
		{"text that is not UTF-8", "POST", "/channels/a", "\xff", []string{"Content-Type", "text/plain"}, 400, wire.CodeBadUTF8},
		{"JSON that is not UTF-8", "POST", "/channels/a", "\"\xff\"", []string{"Content-Type", "application/json"}, 400, wire.CodeBadUTF8},
		{"other charset", "POST", "/channels/a", "x", []string{"Content-Type", "text/plain; charset=latin1"}, 415, wire.CodeUnsupportedData},
		{"other type", "POST", "/channels/a", "x", []string{"Content-Type", "image/png"}, 415, wire.CodeUnsupportedData},
		{"no type", "POST", "/channels/a", "x", []string{"Content-Type", "/;"}, 400, wire.CodeBadRequest},
		{"compressed", "POST", "/channels/a", "x", []string{"Content-Encoding", "gzip"}, 415, wire.CodeUnsupportedData},
		{"too large", "POST", "/channels/a", huge, nil, 413, wire.CodeTooLarge},
		{"wrong method on a channel", "PUT", "/channels/a", "", nil, 405, wire.CodeMethodNotAllowed},
		{"wrong method on the page", "POST", "/", "", nil, 405, wire.CodeMethodNotAllowed},
		{"no upgrade", "GET", "/connect", "", nil, 426, wire.CodeBadUpgrade},
		{"other host", "GET", "/channels/a", "", []string{"Host", "evil.example:8080"}, 421, wire.CodeBadHost},
		{"other host for the page", "GET", "/", "", []string{"Host", "127.0.0.1.evil.example"}, 421, wire.CodeBadHost},
		{"foreign page publishes", "POST", "/channels/a", "x", []string{"Origin", "https://evil.example"}, 403, wire.CodeBadOrigin},
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
			if (status == 405) != (header.Get("Allow") != "") {
				t.Errorf("Allow %q", header.Get("Allow"))
			}
		})
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

// What curl -d sends says nothing about what it is, so it is looked at.
func TestGuess(t *testing.T) {
	r := start(t, nil)
	p := r.streamPeer("a", "application/x-ndjson")
	for _, tt := range []struct{ contentType, body, want string }{
		{"", `{"a": 1}`, `"data":{"a":1}`},
		{"application/x-www-form-urlencoded", ` [1, 2] `, `"data":[1,2]`},
		{"application/x-www-form-urlencoded", `1`, `"type":"text","data":"1"`},
		{"application/x-www-form-urlencoded", `{x`, `"type":"text","data":"{x"`},
		{"", "a\x7fb\u2028\t", `"type":"text","data":"a` + "\x7fb\u2028" + `\t"`},
		{"", ``, `"type":"text","data":""`},
		{"", "\xfe", `"data64":"/g=="`},
		{"application/octet-stream", `{"a":1}`, `"data64":"eyJhIjoxfQ=="`},
		{"text/markdown", `{"a":1}`, `"type":"text","data":"{\"a\":1}"`},
		{"application/json; charset=UTF-8", ` "x" `, `"data":"x"`},
	} {
		r.post("a", tt.contentType, tt.body)
		if s, err := p.next(); err != nil || !strings.Contains(s, ","+tt.want+",") {
			t.Errorf("%s %q became %s (%v), want %s", tt.contentType, tt.body, s, err, tt.want)
		}
	}
}

// Bad frames are answered with an error, and the connection goes on.
func TestBadFrames(t *testing.T) {
	r := start(t, nil)
	for _, p := range []*peer{r.tcpPeer(), r.wsPeer("/connect")} {
		p.send(`{"op":"subscribe","id":1,"channel":"a"}`)
		p.frame()
		for _, tt := range []struct {
			send string
			code wire.Code
			id   int
		}{
			{`{"op":"dance","id":2}`, wire.CodeUnknownOp, 2},
			{`{"id":3}`, wire.CodeUnknownOp, 3},
			{`{"op":"subscribe","id":4,"channel":"a"}`, wire.CodeAlreadySubscribed, 4},
			{`{"op":"subscribe","id":5,"channel":"a b"}`, wire.CodeBadChannel, 5},
			{`{"op":"subscribe","id":6}`, wire.CodeBadChannel, 6},
			{`{"op":"unsubscribe","id":7,"channel":"b"}`, wire.CodeNotSubscribed, 7},
			{`{"op":"publish","id":8,"channel":"a"}`, wire.CodeBadFrame, 8},
			{`{"op":"publish","id":8,"channel":"","data":1}`, wire.CodeBadChannel, 8},
			{`{"op":"publish","id":8,"channel":"a","data64":"!"}`, wire.CodeBadFrame, 8},
			{`{"op":"publish","id":8,"channel":"a","type":"text","data":1}`, wire.CodeBadFrame, 8},
			{`{"op":"publish","id":8,"channel":"a","type":"odd","data":1}`, wire.CodeBadFrame, 8},
			{`{"op":"ping","id":0}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":-1}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":1.5}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":"1"}`, wire.CodeBadFrame, 0},
			{`{"op":"ping","id":9007199254740992}`, wire.CodeBadFrame, 0},
			{`{"op":`, wire.CodeBadFrame, 0},
			{`hello`, wire.CodeBadFrame, 0},
			{`[1]`, wire.CodeBadFrame, 0},
			{`{"op":1}`, wire.CodeBadFrame, 0},
			{`{"op":1,"id":9}`, wire.CodeBadFrame, 9},
			{`{"op":"subscribe","channel":["a"],"id":10}`, wire.CodeBadFrame, 10},
			{strings.Repeat("[", 20000), wire.CodeBadFrame, 0},
			{`{"a":` + strings.Repeat("[", 20000), wire.CodeBadFrame, 0},
		} {
			p.send(tt.send)
			if f := p.frame(); f.Op != "error" || f.Code != string(tt.code) || f.ID != tt.id || f.Message == "" || f.Retry == nil || *f.Retry != -1 {
				t.Errorf("%s: %.80s was answered with %+v, want %s for %d", p.name, tt.send, f, tt.code, tt.id)
			}
		}
		p.send(`{"op":"ping"}`)
		if f := p.frame(); f.Op != "pong" {
			t.Errorf("%s: after all that: %+v", p.name, f)
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
		{"an endless line", strings.Repeat("x", wire.MaxMessage+2), `"op":"close","code":"too_large"`},
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

// A reader's WebSocket is for reading.
func TestReaderSpeaks(t *testing.T) {
	r := start(t, nil)
	p := r.wsPeer("/channels/news")
	p.send("hello")
	if f := p.frame(); f.Op != "close" || f.Code != "1003" {
		t.Errorf("%+v, want a close with 1003", f)
	}
}

func TestManySubscriptions(t *testing.T) {
	r := start(t, nil)
	p := r.tcpPeer()
	for i := range maxSubscriptions {
		p.send(fmt.Sprintf(`{"op":"subscribe","id":%d,"channel":"c%d"}`, i+1, i))
		if f := p.frame(); f.Op != "reply" {
			t.Fatalf("%+v", f)
		}
	}
	p.send(`{"op":"subscribe","channel":"more"}`)
	if f := p.frame(); f.Code != string(wire.CodeForbidden) {
		t.Errorf("%+v, want forbidden", f)
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
