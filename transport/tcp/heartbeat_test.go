package tcp

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/wire"
)

// There are many links: what one is made of is bounded.
func TestLinkIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(link{}); n > 96 {
		t.Errorf("a link has %d bytes, want at most 96", n)
	}
	if n := unsafe.Sizeof(watch{}); n > 64 {
		t.Errorf("a watch has %d bytes, want at most 64", n)
	}
}

// A talker is an acceptor of one link, and its receiver: one that says "ping" to
// a silent peer, and obeys.
type talker struct {
	link    *link
	answers bool // its peer does
	ended   chan *longwire.Close
}

func (r *talker) Accept(_ time.Time, l longwire.Link) (longwire.Receiver, error) {
	r.link = l.(*link)
	return r, nil
}

func (r *talker) Receive(_ time.Time, _ longwire.Kind, p []byte) {
	switch string(p) {
	case "answers":
		r.answers = true
	case "pause":
		r.link.Pause(true)
	case "move":
		loops := r.link.srv.Engine.Loops().Loops()
		r.link.Move(loops[1-r.link.Loop().Index()], func(time.Time) {})
	}
}

func (r *talker) Heartbeat(time.Time) bool {
	r.link.Send(longwire.NewMessage(longwire.Text, []byte("ping")))
	return true
}

func (r *talker) Answers() bool               { return r.answers }
func (r *talker) Drained(time.Time)           {}
func (r *talker) Ended(time.Time)             {}
func (r *talker) Closed(_ time.Time, e error) { r.ended <- e.(*longwire.Close) }

// A call is a client in virtual time.
type call struct {
	*testing.T
	net.Conn
	in *bufio.Reader
	at time.Time // of the last that was heard
}

// talk runs body in virtual time, with a client of s.
func talk(t *testing.T, s *Server, body func(c *call, r *talker)) {
	synctest.Test(t, func(t *testing.T) {
		r := &talker{ended: make(chan *longwire.Close, 1)}
		ln := memnet.Listen("127.0.0.1:8888")
		s.Acceptor, s.Framing = r, Lines
		s.Farewell = func(c *longwire.Close) []byte { return []byte(c.Code) }
		serve(t, ln, s, &longwire.EngineOptions{Loops: 2, Goroutines: true})
		conn, err := ln.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		body(&call{t, conn, bufio.NewReader(conn), time.Now()}, r)
		conn.Close()
	})
}

func (c *call) say(line string) {
	c.Helper()
	if _, err := c.Write([]byte(line + "\n")); err != nil {
		c.Fatal(err)
	}
	synctest.Wait()
	c.at = time.Now()
}

// hear wants a line after d, or up to a grain and a tick later.
func (c *call) hear(line string, d time.Duration) {
	c.Helper()
	got, err := c.in.ReadString('\n')
	if strings.TrimSuffix(got, "\n") != line || err != nil {
		c.Fatalf("heard %q, %v; want %q", got, err, line)
	}
	took := time.Since(c.at)
	c.at = time.Now()
	if took < d-late || took > d+late {
		c.Fatalf("heard %q after %v, want %v", got, took, d)
	}
}

const (
	late = beat.MaxGrain + 20*time.Millisecond
	rest = wire.DeadAfter - wire.PingAfter
)

func TestHeartbeat(t *testing.T) {
	const ping = wire.PingAfter
	for _, tt := range []struct {
		name string
		s    *Server
		body func(c *call, r *talker)
	}{
		{"a peer that need not answer", &Server{}, func(c *call, _ *talker) {
			for range 100 {
				c.hear("ping", ping)
			}
		}},
		{"a peer that does not answer", &Server{}, func(c *call, r *talker) {
			c.say("answers")
			c.hear("ping", ping)
			c.hear("idle_timeout", rest)
			if end := <-r.ended; end.Code != wire.CodeIdleTimeout || end.Remote {
				c.Errorf("ended with %v", end)
			}
		}},
		{"a peer that answers", &Server{}, func(c *call, _ *talker) {
			c.say("answers")
			for range 10 {
				c.hear("ping", ping)
				c.say("pong")
			}
			c.hear("ping", ping)
			c.hear("idle_timeout", rest)
		}},
		{"half a line is a sign of life", &Server{}, func(c *call, _ *talker) {
			c.say("answers")
			time.Sleep(20 * time.Second)
			c.Write([]byte("h"))
			c.at = time.Now()
			c.hear("ping", ping)
		}},
		{"a peer that is held back", &Server{}, func(c *call, r *talker) {
			c.say("answers")
			c.say("pause")
			for range 10 {
				c.hear("ping", ping)
			}
			r.link.Loop().Post(func(time.Time) { r.link.Pause(false) })
			synctest.Wait()
			c.at = time.Now()
			c.hear("ping", ping)
			c.hear("idle_timeout", rest)
		}},
		{"a peer that has finished writing", &Server{}, func(c *call, _ *talker) {
			c.say("answers")
			c.Conn.(*memnet.Conn).CloseWrite()
			for range 10 {
				c.hear("ping", ping)
			}
		}},
		{"a link that moves", &Server{}, func(c *call, r *talker) {
			c.say("answers")
			before := r.link.Loop()
			time.Sleep(20 * time.Second)
			c.say("move")
			if r.link.Loop() == before {
				c.Error("it did not move")
			}
			c.hear("ping", ping)
			c.say("move")
			c.hear("ping", ping)
			c.hear("idle_timeout", rest)
		}},
		{"after the first byte", &Server{FirstByte: 10 * time.Second}, func(c *call, _ *talker) {
			time.Sleep(9 * time.Second)
			c.say("hello")
			c.hear("ping", ping)
			c.hear("ping", ping)
		}},
		{"no first byte", &Server{FirstByte: 10 * time.Second}, func(c *call, _ *talker) {
			c.hear("handshake_timeout", 10*time.Second)
		}},
		{"other times", &Server{PingAfter: 5 * time.Second, DeadAfter: 12 * time.Second}, func(c *call, _ *talker) {
			c.say("answers")
			c.hear("ping", 5*time.Second)
			c.hear("ping", 5*time.Second)
			c.hear("idle_timeout", 2*time.Second)
		}},
		{"no pings", &Server{PingAfter: -1}, func(c *call, _ *talker) {
			c.say("answers")
			c.hear("idle_timeout", wire.DeadAfter)
		}},
		{"no death", &Server{DeadAfter: -1}, func(c *call, _ *talker) {
			c.say("answers")
			for range 10 {
				c.hear("ping", ping)
			}
		}},
		{"off", &Server{PingAfter: -1, DeadAfter: -1}, func(c *call, r *talker) {
			c.say("answers")
			time.Sleep(24 * time.Hour)
			r.link.Loop().Post(func(time.Time) { r.link.Close(longwire.Close{Code: wire.CodeNormal}) })
			c.hear("normal", 24*time.Hour)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { talk(t, tt.s, tt.body) })
	}
}

// Who reads nothing is not pinged: that would only make the queue longer.
func TestNoPingBehindOtherThings(t *testing.T) {
	talk(t, &Server{}, func(c *call, r *talker) {
		c.say("hello")
		r.link.Loop().Post(func(time.Time) {
			r.link.Send(longwire.NewMessage(longwire.Text, make([]byte, 8<<20))) // more than the network holds
		})
		time.Sleep(time.Hour)
		if n, err := c.in.Discard(8<<20 + 1); err != nil {
			c.Fatalf("%d bytes, %v", n, err)
		}
		for range 2 {
			if line, err := c.in.ReadString('\n'); line != "ping\n" || c.in.Buffered() > 0 {
				c.Errorf("%q, %v, and %d bytes at once", line, err, c.in.Buffered())
			}
		}
	})
}

// Links of receivers that have nothing to say have nothing to watch, and others
// only until their first byte.
func TestPlainLinksHaveNoWatch(t *testing.T) {
	for _, first := range []time.Duration{0, time.Second} {
		l := &link{srv: &Server{FirstByte: first}, recv: refused{}, sock: &loop.Sock{}}
		if first == 0 {
			l.listen(time.Now())
		} else {
			l.watch = &watch{link: l, first: true}
			l.watch.hear(time.Now())
		}
		if l.watch != nil {
			t.Errorf("with %v for the first byte: a watch", first)
		}
	}
}
