package stream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

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
		// Who cancels while the header is still on its way is lost; later it is the end.
		if cl := next(t, room.closed); !cl.Remote && cl.Code != wire.CodeLost {
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

// A spy hears what a handler hears.
type spy struct {
	loop.Handler
	held chan int
}

func (s *spy) Read(now time.Time, p []byte) int {
	s.held <- len(p)
	return s.Handler.Read(now, p)
}

// Of what a client pipelines behind a poll that waits, or a stream, 4 KiB are held.
func TestPipelinedIsBounded(t *testing.T) {
	for _, m := range modes {
		if m.http2 || m.shy {
			continue
		}
		for _, polls := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, polls: %t", m.name, polls), func(t *testing.T) {
				d := newDesk(t)
				connects(d)
				s := serve(t, d.over(true), m)
				c := s.dial()
				var f *fake
				if polls {
					s.do("POST", "/", `{"op":"connect"}`).wantStatus(201, "")
					f = next(t, d.reads).fake
					c.say("GET /polled?ack=1 HTTP/1.1\r\nHost: x\r\n\r\n")
				} else {
					c.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
					f = next(t, d.opened)
				}
				held := make(chan int, 1000)
				eventually(t, func() (parked bool) {
					f.on(func() {
						switch {
						case polls && f.poll.waiting != nil && f.poll.waiting.sock != nil:
							f.poll.waiting.sock.Handle(&spy{f.poll.waiting, held})
							parked = true
						case !polls && f.sock != nil:
							f.sock.Handle(&spy{f.link, held})
							parked = true
						}
					})
					return parked
				})
				go io.WriteString(c.Conn, "HEAD / HTTP/1.1\r\nHost: x\r\nX-Filler: "+strings.Repeat("f", 100<<10)) // until the connection is closed
				for n := 0; n < loop.MaxUntaken; {
					if n = next(t, held); n > loop.MaxUntaken {
						t.Errorf("%d bytes are held", n)
					}
				}
				f.on(func() { f.Close(longwire.Close{}) })
				next(t, f.closed)
			})
		}
	}
}

// What a client pipelines behind a stream that goes on is kept, and from 4 KiB
// on left in the client's hands, until the stream ends.
func TestPipelinedBehindStream(t *testing.T) {
	for _, m := range modes {
		if m.http2 || m.shy {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			room := newRoom(false)
			s := serve(t, &Handler{Acceptor: room, Encoders: []*Encoder{Lines}}, m)
			c := s.dial()
			c.say("GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
			first := next(t, room.opened)
			const n = 200
			wrote := make(chan error, 1)
			go func() {
				_, err := io.WriteString(c.Conn, strings.Repeat("HEAD / HTTP/1.1\r\nHost: x\r\nX-Filler: "+strings.Repeat("f", 1000)+"\r\n\r\n", n))
				wrote <- err
			}()
			for i := range 50 {
				send(t, first, longwire.Text, fmt.Sprint(i))
				time.Sleep(time.Millisecond)
			}
			first.Close("", "")
			if got := c.body(); strings.Count(got, "\n") != 50 {
				t.Fatalf("%q", got)
			}
			for i := range n {
				if resp, err := http.ReadResponse(c.Reader, &http.Request{Method: "HEAD"}); err != nil || resp.StatusCode != 200 {
					t.Fatal(i, resp, err)
				}
			}
			if err := next(t, wrote); err != nil {
				t.Error(err)
			}
		})
	}
}
