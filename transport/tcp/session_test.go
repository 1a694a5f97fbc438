package tcp

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/testcert"
	"github.com/longwire/longwire/wire"
)

// hosted is an acceptor that knows what its links need, as a node does.
type hosted struct {
	longwire.Acceptor
	longwire.WayOptions
}

func (h *hosted) Door() *longwire.WayOptions { return &h.WayOptions }

func TestSessionTakesWhatTheNodeSays(t *testing.T) {
	e := &longwire.Engine{}
	s := Session(&hosted{&longwire.Plain{}, longwire.WayOptions{Engine: e, Node: &longwire.Options{MaxMessage: 1 << 20}}})
	if s.Engine != e || s.MaxMessage != wire.MaxFrame(1<<20) || s.FirstByte != wire.HandshakeTimeout {
		t.Errorf("%+v", s)
	}
	if s = Session(&longwire.Plain{}); s.MaxMessage != wire.MaxFrame(0) || s.Engine != nil {
		t.Errorf("%+v", s)
	}
	if want := `{"op":"close","code":"overloaded",`; !strings.HasPrefix(string(s.Full), want) || !strings.HasSuffix(string(s.Full), "\"retry\":1000}\n") {
		t.Errorf("full: %q", s.Full)
	}
}

// What is no session is told so in words that its speaker understands.
func TestSessionHearsOtherThings(t *testing.T) {
	door, ends := closes()
	door.OnLoop = true
	s := Session(door)
	s.HTTP = "http://127.0.0.1:8080"
	ln := listen(t)
	serve(t, ln, s, nil)
	bystander := dial(t, ln)
	for _, tt := range []struct {
		name, send, want string
		code             wire.Code
	}{
		{"frames", "{}\n\n{\"op\":\"ping\"}\r\n", "{}\n{\"op\":\"ping\"}\n{\"op\":\"close\",\"code\":\"normal\",", wire.CodeNormal},
		{"a last frame without end", `{"op":"ping"}`, "{\"op\":\"ping\"}\n{\"op\":\"close\",", wire.CodeNormal},
		{"nothing", " \r\n \n", "{\"op\":\"close\",", wire.CodeNormal},
		{"TLS", "\x16\x03\x01\x02\x00\x01", "", wire.CodeWrongProtocol},
		{"the binary form", "LW1\n\x08\x01", `{"op":"close","code":"unsupported_data","reason":"the binary form is not spoken`, wire.CodeUnsupportedData},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", wire.CodeWrongProtocol},
		{"HTTP after a frame", "{}\nPOST /channels/a HTTP/1.0\r\n\r\n", "{}\nHTTP/1.1 400 Bad Request\r\n", wire.CodeWrongProtocol},
		{"an endless line", strings.Repeat("x", wire.MaxFrame(0)+2), `{"op":"close","code":"too_large",`, wire.CodeTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, ln)
			go func() { io.WriteString(c, tt.send); c.CloseWrite() }()
			got, err := io.ReadAll(c)
			if err != nil || !strings.HasPrefix(string(got), tt.want) || tt.want == "" && len(got) > 0 {
				t.Errorf("heard %q, %v; want %q", got, err, tt.want)
			}
			if end := <-ends; end.Code != tt.code && (end.Code != "" || tt.code != wire.CodeNormal) {
				t.Errorf("ended with %v", end)
			}
		})
	}
	io.WriteString(bystander, "{\"op\":\"ping\"}\n")
	if line, err := bufio.NewReader(bystander).ReadString('\n'); line != "{\"op\":\"ping\"}\n" {
		t.Errorf("another connection was harmed: %q, %v", line, err)
	}
}

func TestSessionNamesHTTP(t *testing.T) {
	for url, want := range map[string]string{
		"":                      "This port speaks JSON lines over TCP, not HTTP.\n",
		"https://example.org:8": "This port speaks JSON lines over TCP, not HTTP. HTTP is at https://example.org:8\n",
	} {
		s := Session(&longwire.Plain{})
		s.HTTP = url
		ln := listen(t)
		serve(t, ln, s, nil)
		resp, err := http.Get("http://" + ln.Addr().String() + "/channels/news")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || string(body) != want || err != nil {
			t.Errorf("%s %q, %v; want %q", resp.Status, body, err, want)
		}
	}
}

// Who does not speak TLS to a port that does, is told so in plaintext.
func TestSessionNeedsTLS(t *testing.T) {
	cert, _ := testcert.New(t)
	s := Session(&longwire.Plain{})
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	ln := listen(t)
	serve(t, ln, s, nil)
	c := dial(t, ln)
	io.WriteString(c, "{\"op\":\"ping\"}\n")
	if got, err := io.ReadAll(c); !strings.HasPrefix(string(got), `{"op":"close","code":"needs_tls",`) {
		t.Errorf("heard %q, %v", got, err)
	}
}

// A node's hints arrive: when to come back, and why.
func TestSessionSaysWhenToComeBack(t *testing.T) {
	s := Session(nil)
	for _, tt := range []struct {
		c    longwire.Close
		want string
	}{
		{longwire.Close{Code: wire.CodeGoingAway, Retry: 1500 * time.Millisecond}, `"retry":1500}`},
		{longwire.Close{Code: wire.CodeGoingAway}, `"retry":0}`},
		{longwire.Close{Code: wire.CodeSuperseded}, `"retry":-1}`},
		{longwire.Close{Code: wire.CodeForbidden, Reason: "not \"you\""}, `"reason":"not \"you\"","retry":-1}`},
		{longwire.Close{Code: wire.CodeWrongProtocol}, fmt.Sprintf(`"reason":%q,"retry":-1}`, wire.CodeWrongProtocol.Info().Message)},
	} {
		if got := string(s.lastLine(&tt.c)); !strings.HasSuffix(got, tt.want) {
			t.Errorf("%v: %s, want %s", &tt.c, got, tt.want)
		}
	}
}
