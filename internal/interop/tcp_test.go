package interop

import (
	"net"
	"strings"
	"testing"
)

// TestOpenSSL speaks lines through openssl, in each version of TLS, with a new
// key in the middle.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := openRoom(t, true)
			c := sClient(t, r, version)
			say := func(line string) {
				t.Helper()
				if _, err := c.in.Write([]byte(line + "\n")); err != nil {
					t.Fatal(err)
				}
			}
			say(`{"op":"subscribe","id":1,"channel":"news"}`)
			if f := decode[message](t, c.until("{")); f.Op != "reply" || f.Channel != "news" {
				t.Errorf("subscribing was answered with %+v", f)
			}
			for range 3 {
				if version == "-tls1_3" {
					say("K") // a new key, and a request for one of ours
					c.until("KEYUPDATE")
				}
				r.publish("news", "hello")
				if f := decode[message](t, c.until("{")); f.Op != "message" || string(f.Data) != `"hello"` {
					t.Errorf("%+v arrived", f)
				}
			}
			r.stop()
			if got := c.until("{"); !strings.Contains(got, "draining") {
				t.Errorf("the last frame is %s", got)
			}
		})
	}
}

// sClient connects with openssl, and returns once the handshake is over.
func sClient(t testing.TB, r *room, version string) *child {
	t.Helper()
	program(t, "openssl")
	c := start(t, "sh", "-c", `exec openssl s_client "$@" 2>&1`, "sh", // all it says in one stream
		"-connect", r.TCPAddr(), "-CAfile", r.cert, "-verify_return_error", version)
	for !strings.Contains(c.line(), "Verify return code: 0 (ok)") {
	}
	return c
}

// TestRenegotiation refuses what Go's TLS does not do, and nobody else hears
// of it.
func TestRenegotiation(t *testing.T) {
	t.Parallel()
	r := openRoom(t, true)
	reader := start(t, "curl", curlArgs("-k", r.HTTPURL()+"/channels/news")...)
	r.publishTo(1, "news", "the reader is there")
	c := sClient(t, r, "-tls1_2")
	c.in.Write([]byte("R\n"))
	c.until("RENEGOTIATING")
	rest, code := c.ends()
	if code == 0 {
		t.Errorf("openssl ended with %d after %q", code, rest)
	}
	answer := r.publish("news", "still there")
	for m := (message{}); m.Position != answer.Position; {
		m = decode[message](t, reader.line())
	}
}

// TestNetcat says a line and finishes writing, and goes on hearing.
func TestNetcat(t *testing.T) {
	t.Parallel()
	r := openRoom(t, false)
	host, port, err := net.SplitHostPort(r.TCPAddr())
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, "nc", "-N", host, port)
	c.in.Write([]byte(`{"op":"subscribe","id":1,"channel":"news"}` + "\r\n"))
	c.in.Close()
	c.until(`{"op":"reply"`)
	r.publish("news", "hello")
	if f := decode[message](t, c.until(`{"op":"message"`)); string(f.Data) != `"hello"` {
		t.Errorf("%+v arrived", f)
	}
	c.stop()
	r.publishTo(0, "news", "it has left")
}

// TestPastedLines runs the lines that serve prints, as they are: each reader
// hears of each publication.
func TestPastedLines(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name   string
		secure bool
	}{{"plain", false}, {"tls", true}} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			r := openRoom(t, v.secure)
			read, publish := r.Ways()
			var readers []*child
			poll := ""
			for _, way := range read {
				switch {
				case way.Name == "long-poll":
					poll = way.Line
				case !strings.HasPrefix(way.Line, "npx "): // which would fetch a program from elsewhere
					readers = append(readers, start(t, "sh", "-c", way.Line))
				}
			}
			r.publishTo(len(readers), "news", "the readers are there")
			poller := start(t, "sh", "-c", poll)
			r.publishUntil("news", "the poll is there", func() {
				if got := poller.line(); !strings.Contains(got, `"data":"the poll is there"`) {
					t.Errorf("%s: %s", poll, got)
				}
			})
			for _, way := range publish {
				if got, _ := start(t, "sh", "-c", way.Line).ends(); !strings.Contains(got, `"position":`) {
					t.Errorf("%s: %s", way.Line, got)
				}
			}
			r.stop() // and with it they end
			for _, c := range readers {
				got, _ := c.ends()
				for _, want := range []string{`"data":{"hello":"world"}`, `"data":"hello"`, "draining"} {
					if !strings.Contains(got, want) {
						t.Errorf("%s: no %s in %s", c.cmd.Args, want, got)
					}
				}
			}
			if len(readers) != 3 || len(publish) != 2 {
				t.Errorf("%d lines read and %d publish", len(readers), len(publish))
			}
		})
	}
}
