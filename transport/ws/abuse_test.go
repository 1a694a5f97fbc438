package ws

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

// What a network in memory holds by itself: its own buffer, and the copy that is being written to it.
const memnetHolds = 64<<10 + 16<<10

func TestPingFlood(t *testing.T) {
	virtual(t, &Handler{Acceptor: echo(true)}, func(t *testing.T, dial func() *client) {
		c := dial()
		pad := strings.Repeat("p", 100)
		const pings = 5000
		for i := range pings { // read by the server all the time, or this would block for ever
			c.send(frame.Ping, fmt.Sprintf("%s %d", pad, i))
		}
		synctest.Wait()
		c.send(frame.Text, "end")
		var pongs, bytes int
		last := ""
		for got := c.next(); got != `text "end"`; got = c.next() {
			last = got
			pongs++
			bytes += len(got)
		}
		if most := memnetHolds + wire.MaxQueuedOut + 1<<10; bytes > most {
			t.Errorf("%d bytes of pongs waited, want at most %d", bytes, most)
		}
		if want := fmt.Sprintf("pong %q", fmt.Sprintf("%s %d", pad, pings-1)); last != want {
			// The latest pong may stand behind the message, which had room no sooner.
			if got := c.next(); got != want {
				t.Errorf("of %d pongs the last was %s, and then came %s, want %s", pongs, last, got, want)
			}
		}
	})
}

// A peer that does not read its echo is not read, and others do not notice.
func TestSlowReader(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		t.Run(fmt.Sprintf("onLoop=%t", onLoop), func(t *testing.T) {
			virtual(t, &Handler{Acceptor: echo(onLoop)}, func(t *testing.T, dial func() *client) {
				slow, other := dial(), dial()
				var sent atomic.Int64
				const messages = 2000
				text := strings.Repeat("x", 1000)
				go func() {
					for i := range messages {
						slow.send(frame.Text, fmt.Sprintf("%s %d", text, i))
						sent.Add(1)
					}
				}()
				synctest.Wait()
				most := int64(2*memnetHolds+wire.MaxQueuedOut+wire.MaxQueuedInBytes+64<<10) / 1000
				if n := sent.Load(); n > most {
					t.Errorf("%d messages were taken from a peer that does not read, want at most %d", n, most)
				}
				for range 100 {
					other.send(frame.Text, "quick")
					other.want(`text "quick"`)
				}
				for i := range messages {
					s := fmt.Sprintf("%s %d", text, i)
					slow.want(long("text", s)...)
				}
			})
		})
	}
}

// A length that is only declared takes no memory.
func TestDeclaredLengthsTakeNoMemory(t *testing.T) {
	s := serve(t, &Handler{Acceptor: echo(true)}, false)
	const links = 50
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range links {
		c := dial(t, s, nil)
		c.write(encode([]sent{ping("now"), lacking(wire.MaxMessage-100, octets(strings.Repeat("x", wire.MaxMessage)))}))
		c.want(`pong "now"`) // at the end of the turn that brought the rest, too
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > links*wire.MaxMessage/4 {
		t.Errorf("the heap grew by %d bytes for %d messages of 100 bytes", grown, links)
	}
}

func TestReset(t *testing.T) {
	for _, mode := range modes {
		ended := make(closings, 1)
		p := echo(mode.onLoop)
		p.Close = ended.hook
		c := dial(t, serve(t, &Handler{Acceptor: p}, mode.secure), nil)
		c.send(frame.Text, "x")
		c.want(`text "x"`)
		raw := c.conn
		if w, ok := raw.(interface{ NetConn() net.Conn }); ok {
			raw = w.NetConn()
		}
		raw.(*net.TCPConn).SetLinger(0)
		raw.Close()
		if got := ended.next(t); got.Code != wire.CodeLost || got.Err == nil {
			t.Errorf("%s: Close heard %+v", mode.name, got)
		}
	}
}

func TestHandlerPanics(t *testing.T) {
	for _, mode := range modes[:2] {
		ended := make(closings, 2)
		p := echo(mode.onLoop)
		p.Close = ended.hook
		p.Message = func(c *longwire.Conn, k longwire.Kind, b []byte) {
			if string(b) == "bang" {
				panic("a handler panics")
			}
			c.Send(k, b)
		}
		s := serve(t, &Handler{Acceptor: p}, mode.secure)
		victim, other := dial(t, s, nil), dial(t, s, nil)
		victim.send(frame.Text, "bang")
		code := wire.CodeHandlerPanic.CloseCode()
		if got := victim.next(); !strings.HasPrefix(got, fmt.Sprintf("close %d ", code)) {
			t.Errorf("%s: got %s, want close %d", mode.name, got, code)
		}
		victim.write(closeFrame(code, ""))
		victim.want("end")
		if got := ended.next(t); got.Code != wire.CodeHandlerPanic {
			t.Errorf("%s: Close heard %v", mode.name, got)
		}
		other.send(frame.Text, "alive")
		other.want(`text "alive"`)
	}
}

// Many goroutines send on one connection, which is closed in between: every
// message comes whole, each goroutine's in order, and nothing after the Close frame.
func TestConcurrentSend(t *testing.T) {
	const senders, each = 16, 300
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			var senderWork sync.WaitGroup
			p := &longwire.Plain{OnLoop: mode.onLoop, Open: func(c *longwire.Conn) error {
				var here sync.WaitGroup
				for i := range senders {
					here.Go(func() { // Close of the connection follows, the test waits for both
						kinds := []longwire.Kind{longwire.Text, longwire.JSON}
						for n := range each {
							p := fmt.Appendf(nil, "%d %d %s", i, n, strings.Repeat("y", n*i%5000))
							if err := c.SendWait(t.Context(), kinds[n%2], p); err != nil {
								t.Errorf("send: %v", err)
								return
							}
						}
					})
				}
				senderWork.Go(func() {
					here.Wait()
					c.Close(wire.CodeNormal, "")
					if err := c.Send(longwire.Text, nil); !errors.Is(err, longwire.ErrClosed) {
						t.Errorf("send after Close: %v", err)
					}
				})
				return nil
			}}
			c := dial(t, serve(t, &Handler{Acceptor: p}, mode.secure), nil)
			var next [senders]int
			for range senders * each {
				ev := c.event()
				var from, n int
				if _, err := fmt.Sscanf(string(ev.Data), "%d %d ", &from, &n); err != nil || ev.Op != frame.Text {
					t.Fatalf("got %s: %v", transcribe(ev), err)
				}
				if next[from] != n {
					t.Fatalf("message %d of sender %d came, want %d", n, from, next[from])
				}
				next[from]++
			}
			if got := c.next(); !strings.HasPrefix(got, "close 1000 ") {
				t.Errorf("got %s", got)
			}
			c.write(closeFrame(1000, ""))
			c.want("end")
			senderWork.Wait()
		})
	}
}

// One message to many links is framed once, and in every kind.
func TestBroadcast(t *testing.T) {
	conns := make(chan *longwire.Conn, 10)
	p := &longwire.Plain{Open: func(c *longwire.Conn) error { conns <- c; return nil }}
	s := serve(t, &Handler{Acceptor: p}, false)
	var clients []*client
	var all []*longwire.Conn
	for range cap(conns) {
		clients = append(clients, dial(t, s, nil))
		all = append(all, <-conns)
	}
	for _, m := range []*longwire.Message{
		longwire.NewMessage(longwire.Text, []byte("text")),
		longwire.NewMessage(longwire.JSON, []byte(`{}`)),
		longwire.NewMessage(longwire.Binary, []byte(strings.Repeat("b", 70_000))),
	} {
		framed := m.Frame(form)
		for _, c := range all {
			if err := c.SendMessage(m); err != nil {
				t.Fatal(err)
			}
		}
		if again := m.Frame(form); &framed[0] != &again[0] {
			t.Error("framed twice")
		}
	}
	for _, c := range clients {
		c.want(`text "text"`, `text "{}"`)
		c.want(long("binary", strings.Repeat("b", 70_000))...)
	}
}

// Whoever shakes hands and says nothing costs no more than that, and its bytes may come one by one.
func TestByteByByteHandshake(t *testing.T) {
	s := serve(t, &Handler{Acceptor: echo(true)}, false)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	for _, b := range append([]byte(request()), masked(frame.Text, "x")...) {
		conn.Write([]byte{b})
	}
	conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(answer), "\x81\x01x") {
		t.Errorf("answer %q, %v", answer, err)
	}
}
