package ws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/wire"
)

// tick is how late the wheel may be.
const tick = 20 * time.Millisecond

// closer is an acceptor that closes at the first message, and an ear for the end.
func closer(cl longwire.Close) (*longwire.Plain, func() closings) {
	p := &longwire.Plain{OnLoop: true}
	p.Message = func(c *longwire.Conn, k longwire.Kind, b []byte) {
		c.Send(k, b)
		c.CloseWith(cl)
		c.Send(k, []byte("never"))
	}
	return p, func() closings { // channels belong to the bubble they are made in
		ended := make(closings, 1)
		p.Close = ended.hook
		return ended
	}
}

func TestWeCloseFirst(t *testing.T) {
	long := strings.Repeat("ü", 100)
	for _, tt := range []struct {
		name  string
		close longwire.Close
		want  string
		code  wire.Code // that Close hears
	}{
		{"nothing said", longwire.Close{}, fmt.Sprintf("close 1000 %q", wire.CodeNormal.Info().Message), ""},
		{"a code", longwire.Close{Code: wire.CodeDraining}, fmt.Sprintf("close 4000 %q", wire.CodeDraining.Info().Message), wire.CodeDraining},
		{"a reason", longwire.Close{Code: wire.CodeForbidden, Reason: "not you"}, fmt.Sprintf(`close %d "not you"`, wire.CodeForbidden.CloseCode()), wire.CodeForbidden},
		{"a number", longwire.Close{Number: 3001, Reason: "x"}, `close 3001 "x"`, ""},
		{"a number that must not be sent", longwire.Close{Number: 1006, Reason: "x"}, `close 1005 ""`, ""},
		{"a long reason", longwire.Close{Reason: long}, fmt.Sprintf("close 1000 %q", long[:122]), ""},
		{"a reason that is not UTF-8", longwire.Close{Reason: "a\xff"}, `close 1000 "a�"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, hear := closer(tt.close)
			virtual(t, &Handler{Acceptor: p}, func(t *testing.T, dial func() *client) {
				ended := hear()
				c, clk := dial(), newClock()
				c.send(frame.Text, "x")
				c.want(`text "x"`, tt.want)
				c.send(frame.Text, "too late")
				c.send(frame.Ping, "too late")
				time.Sleep(500 * time.Millisecond)
				c.write(closeFrame(1000, ""))
				c.want("end")
				clk.within(t, 500*time.Millisecond, 0)
				got := ended.next(t)
				if got.Code != tt.code || got.Number != tt.close.Number || got.Reason != tt.close.Reason || got.Remote {
					t.Errorf("Close heard %+v", got)
				}
				clk.within(t, 0, 0)
			})
		})
	}
}

func TestCloseIsNotAnswered(t *testing.T) {
	for _, tt := range []struct {
		name string
		peer func(c *client) // after it has seen our Close frame
		ends time.Duration
	}{
		{"the peer says nothing", func(c *client) {
			c.want("end")
		}, closeWait},
		{"and does not close either", func(*client) {}, closeWait + wire.FlushTimeout},
		{"the peer goes on talking", func(c *client) {
			for range 10 {
				c.send(frame.Text, "blah")
				time.Sleep(closeWait / 8)
			}
			c.want("end")
		}, closeWait * 10 / 8},
		{"the peer breaks the protocol", func(c *client) {
			c.write([]byte("\x83\x80aaaa"))
			c.want("end")
		}, 0},
		{"the peer shuts down", func(c *client) {
			c.conn.(*memnet.Conn).CloseWrite()
			c.want("end")
		}, 0},
		{"the peer resets", func(c *client) { c.conn.(*memnet.Conn).Cut() }, 0},
		{"the peer vanishes", func(c *client) { c.conn.(*memnet.Conn).Freeze() }, closeWait + wire.FlushTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, hear := closer(longwire.Close{Code: wire.CodeDraining})
			virtual(t, &Handler{Acceptor: p}, func(t *testing.T, dial func() *client) {
				ended := hear()
				c, clk := dial(), newClock()
				c.send(frame.Text, "x")
				c.want(`text "x"`)
				if got := c.next(); !strings.HasPrefix(got, "close 4000 ") {
					t.Fatalf("got %s", got)
				}
				var peer sync.WaitGroup
				peer.Go(func() { tt.peer(c) })
				if got := <-ended; got.Code != wire.CodeDraining || got.Remote {
					t.Errorf("Close heard %v", got)
				}
				clk.within(t, tt.ends, 2*tick)
				peer.Wait() // before the test's end cuts what it reads
			})
		})
	}
}

// A peer that reads nothing of what it is owed is not waited for any longer than one that does not answer.
func TestCloseOfOneThatDoesNotRead(t *testing.T) {
	p := &longwire.Plain{OnLoop: true}
	virtual(t, &Handler{Acceptor: p}, func(t *testing.T, dial func() *client) {
		ended := make(closings, 1)
		p.Close = ended.hook
		p.Message = func(c *longwire.Conn, k longwire.Kind, b []byte) {
			for c.Send(k, b) == nil {
			}
			c.Close(wire.CodeSlowConsumer, "")
		}
		c, clk := dial(), newClock()
		c.send(frame.Text, strings.Repeat("x", 100<<10))
		if got := <-ended; got.Code != wire.CodeSlowConsumer {
			t.Errorf("Close heard %v", got)
		}
		clk.within(t, closeWait, tick)
	})
}

func TestPeerClosesFirst(t *testing.T) {
	for _, tt := range []struct {
		frame []byte
		want  string
		heard longwire.Close
	}{
		{closeFrame(1000, "bye"), `close 1000 "bye"`, longwire.Close{Code: wire.CodeNormal, Number: 1000, Reason: "bye"}},
		{closeFrame(1001, ""), `close 1001 ""`, longwire.Close{Code: wire.CodeGoingAway, Number: 1001}},
		{closeFrame(3999, "own"), `close 3999 "own"`, longwire.Close{Number: 3999, Reason: "own"}},
		{closeFrame(4012, ""), `close 4012 ""`, longwire.Close{Code: wire.CodeSlowConsumer, Number: 4012}},
		{closeFrame(1005, ""), `close 1005 ""`, longwire.Close{Code: wire.CodeNormal, Number: 1005}},
	} {
		t.Run(tt.want, func(t *testing.T) {
			p := &longwire.Plain{}
			virtual(t, &Handler{Acceptor: p}, func(t *testing.T, dial func() *client) {
				ended := make(closings, 1)
				p.Close = ended.hook
				c, clk := dial(), newClock()
				c.write(tt.frame)
				c.want(tt.want, "end")
				clk.within(t, 0, 0)
				tt.heard.Remote = true
				if got := <-ended; *got != tt.heard {
					t.Errorf("Close heard %+v, want %+v", got, tt.heard)
				}
				clk.within(t, 0, 0)
			})
		})
	}
}

// One that has said goodbye and then does not close is not waited for longer than a second.
func TestPeerClosesAndStays(t *testing.T) {
	p := &longwire.Plain{}
	virtual(t, &Handler{Acceptor: p}, func(t *testing.T, dial func() *client) {
		ended := make(closings, 1)
		p.Close = ended.hook
		c, clk := dial(), newClock()
		c.write(closeFrame(1000, ""))
		<-ended
		clk.within(t, wire.FlushTimeout, tick)
	})
}

func TestCut(t *testing.T) {
	for name, cut := range map[string]func(*memnet.Conn){
		"end without a Close frame": func(c *memnet.Conn) { c.CloseWrite() },
		"reset":                     func(c *memnet.Conn) { c.Cut() },
	} {
		t.Run(name, func(t *testing.T) {
			p := &longwire.Plain{}
			virtual(t, &Handler{Acceptor: p}, func(t *testing.T, dial func() *client) {
				ended := make(closings, 1)
				var conn *longwire.Conn
				p.Close = ended.hook
				p.Open = func(c *longwire.Conn) error { conn = c; return nil }
				c := dial()
				c.send(frame.Text, "x")
				synctest.Wait()
				cut(c.conn.(*memnet.Conn))
				if got := <-ended; got.Code != wire.CodeLost || got.Err == nil {
					t.Errorf("Close heard %+v", got)
				}
				if err := conn.Send(longwire.Text, nil); !errors.Is(err, longwire.ErrClosed) {
					t.Errorf("Send: %v", err)
				}
			})
		})
	}
}

func TestEngineShutsDown(t *testing.T) {
	p := &longwire.Plain{}
	h := &Handler{Acceptor: p}
	virtual(t, h, func(t *testing.T, dial func() *client) {
		ended := make(closings, 1)
		p.Close = ended.hook
		c := dial()
		closed := make(chan error, 1)
		go func() { closed <- h.Engine.Close(context.Background()) }()
		if got := c.next(); !strings.HasPrefix(got, "close 1001 ") {
			t.Errorf("got %s, want close 1001", got)
		}
		c.write(closeFrame(1001, ""))
		c.want("end")
		if got := <-ended; got.Code != wire.CodeGoingAway || got.Remote {
			t.Errorf("Close heard %v", got)
		}
		if err := <-closed; err != nil {
			t.Errorf("Engine.Close: %v", err)
		}
	})
}

// The frame codec knows nothing of wire, but has a code of wire's list.
func TestFragmentsCloseWithTheirCode(t *testing.T) {
	if code := wire.FromCloseCode(frame.CloseFragments); code != wire.CodeTooManyFragments {
		t.Errorf("close code %d is %s", frame.CloseFragments, code)
	}
}
