package loop

import (
	"bytes"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestEcho(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		h := &hooks{}
		h.read = func(p []byte) int {
			h.s.Write(p)
			if !h.s.Room(1) {
				h.s.SetRead(false)
			}
			return len(p)
		}
		h.drained = func() { h.s.SetRead(true) }
		c := w.serve(h)
		want := pattern(4 << 20)
		go func() {
			c.Write(want)
			closeWrite(c)
		}()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, want) {
			w.Errorf("%d bytes came back, %v; want %d", len(got), err, len(want))
		}
		w.wantClosed(h, io.EOF)
	})
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16)
	}
	return b
}

func TestReadAhead(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		c, server := w.pair()
		defer c.Close()
		h := &hooks{closed: make(chan error, 1)}
		all := make(chan string, 1)
		h.read = func(p []byte) int { return 0 }
		h.end = func(rest []byte) { all <- string(rest); h.s.Close(errBye, time.Second) }
		w.send(c, "behind")
		w.g.Adopt(server, []byte("ahead, "), func(_ time.Time, s *Sock) Handler { h.s = s; return h })
		closeWrite(c)
		if got := <-all; got != "ahead, behind" {
			w.Errorf("read %q", got)
		}
		w.wantEOF(c)
		w.wantClosed(h, errBye)
	})
}

// TestReadLittle has a client send much to a handler that takes nothing yet: little of
// it is held, and none is lost or out of order once somebody takes it.
func TestReadLittle(t *testing.T) {
	for _, ahead := range []int{0, 100, MaxUntaken, 3 * MaxUntaken} {
		forEachPoller(t, 1, func(w *world) {
			c, server := w.pair()
			defer c.Close()
			h := &hooks{closed: make(chan error, 1)}
			most := 0
			full := make(chan struct{}, 100)
			h.read = func(p []byte) int {
				if most = max(most, len(p)); most >= MaxUntaken {
					full <- struct{}{}
				}
				return 0
			}
			want := pattern(300 << 10)
			err := w.g.Adopt(server, want[:ahead], func(_ time.Time, s *Sock) Handler {
				h.s = s
				s.ReadLittle()
				return h
			})
			if err != nil {
				w.Fatal(err)
			}
			go func() {
				for i := ahead; i < len(want); { // pieces of any length
					n := min(len(want)-i, 1+i%700)
					c.Write(want[i : i+n])
					i += n
				}
				closeWrite(c)
			}()
			<-full
			w.settle()
			h.on(func() {
				if bound := max(MaxUntaken, ahead); most > bound || h.s.in == nil || cap(*h.s.in) > bound+1<<10 {
					w.Errorf("it was offered %d bytes, of which the socket's memory has %d; want %d", most, cap(*h.s.in), bound)
				}
				h.s.SetRead(true) // nothing was taken: it is paused again
			})
			<-full
			var got []byte
			all := make(chan []byte, 1)
			h.on(func() {
				h.read = func(p []byte) int { got = append(got, p...); return len(p) }
				h.end = func(rest []byte) { all <- append(got, rest...); h.s.Close(errBye, time.Second) }
				h.s.SetRead(true)
			})
			if got := <-all; !bytes.Equal(got, want) {
				w.Errorf("%d bytes arrived, want %d", len(got), len(want))
			}
			w.wantClosed(h, errBye)
		})
	}
}

// TestUntaken has a handler take whole lines only.
func TestUntaken(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		var lines []string
		h := &hooks{}
		h.read = func(p []byte) int {
			i := bytes.IndexByte(p, '\n')
			if i < 0 {
				return 0
			}
			lines = append(lines, string(p[:i]))
			h.s.Write([]byte("."))
			if bytes.IndexByte(p[i+1:], '\n') >= 0 { // wants the next one by itself
				h.s.SetRead(false)
				h.s.SetRead(true)
			}
			return i + 1
		}
		rest := make(chan string, 1)
		h.end = func(p []byte) { rest <- string(p); h.s.Close(errBye, time.Second) }
		c := w.serve(h)
		long := strings.Repeat("long", 30_000)
		w.send(c, "one\ntwo\nth")
		w.wantRead(c, "..")
		w.send(c, "ree\n"+long)
		w.wantRead(c, ".")
		w.send(c, "\nrest")
		w.wantRead(c, ".")
		closeWrite(c)
		if got := <-rest; got != "rest" {
			w.Errorf("rest %q", got)
		}
		w.wantClosed(h, errBye)
		if got, want := strings.Join(lines, ","), "one,two,three,"+long; got != want {
			w.Errorf("%d bytes of lines, want %d", len(got), len(want))
		}
	})
}

// TestPause has edges come while nobody reads: bytes, then the peer's end.
func TestPause(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		var got []byte
		h := &hooks{read: func(p []byte) int { got = append(got, p...); return len(p) }}
		c := w.serve(h)
		h.on(func() { h.s.SetRead(false) })
		w.send(c, "while paused")
		closeWrite(c)
		w.settle()
		if w.virtual {
			time.Sleep(time.Hour)
		}
		h.on(func() {
			if len(got) > 0 {
				w.Errorf("read %q while paused", got)
			}
			h.s.SetRead(true)
		})
		w.wantClosed(h, io.EOF)
		if string(got) != "while paused" {
			w.Errorf("read %q after the pause", got)
		}
	})
}

func TestResetWhilePaused(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		h := &hooks{}
		c := w.serve(h)
		h.on(func() { h.s.SetRead(false) })
		reset(c)
		w.wantClosed(h, syscall.ECONNRESET)
	})
}

// TestResetAfterEnd has a peer finish in order, wait, and then break.
func TestResetAfterEnd(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		ended := make(chan struct{})
		h := &hooks{end: func([]byte) { close(ended) }}
		c := w.serve(h)
		closeWrite(c)
		<-ended
		reset(c)
		if !w.epoll {
			// A pump does not read after the end; who writes hears of it.
			h.on(func() { h.s.Write([]byte("anyone?")) })
			w.settle()
			h.on(func() { h.s.Write([]byte("anyone?")) })
		}
		if err := <-h.closed; err == nil {
			w.Error("closed without an error")
		}
	})
}

// TestHandle changes the handler inside Read: the new one gets what the old one left.
func TestHandle(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		got := make(chan string, 2)
		second := &hooks{closed: make(chan error, 1)}
		second.read = func(p []byte) int { got <- string(p); return len(p) }
		first := &hooks{}
		first.read = func(p []byte) int {
			second.s = first.s
			first.s.Handle(second)
			return len("first")
		}
		c := w.serve(first)
		w.send(c, "firstsecond")
		if s := <-got; s != "second" {
			w.Errorf("the new handler read %q", s)
		}
		closeWrite(c)
		w.wantClosed(second, io.EOF)
	})
}

// TestHandleAfterEnd lets a new handler hear the end that the old one heard.
func TestHandleAfterEnd(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		ended := make(chan struct{})
		first := &hooks{end: func([]byte) { close(ended) }}
		c := w.serve(first)
		closeWrite(c)
		<-ended
		second := &hooks{s: first.s, closed: make(chan error, 1)}
		first.on(func() { first.s.Handle(second) })
		w.wantClosed(second, io.EOF)
		w.wantEOF(c)
	})
}

// TestFlood checks that a socket that always has more does not keep the
// others waiting: it is read at most twice a turn.
func TestFlood(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		if w.virtual {
			return // a turn takes no time there
		}
		stop, flooding := make(chan struct{}), make(chan struct{}, 1)
		flood := &hooks{}
		turn, reads, most := time.Time{}, 0, 0
		flood.read = func(p []byte) int {
			if now := flood.s.loop.now; now != turn {
				turn, reads = now, 0
			}
			reads++
			most = max(most, reads)
			select {
			case flooding <- struct{}{}:
			default:
			}
			return len(p)
		}
		fc := w.serve(flood)
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 256<<10)
			for {
				select {
				case <-stop:
					fc.Close()
					return
				default:
					fc.Write(buf)
				}
			}
		}()
		<-flooding
		echo := &hooks{}
		echo.read = func(p []byte) int { echo.s.Write(p); return len(p) }
		c := w.serve(echo)
		for range 200 {
			w.send(c, "ping")
			w.wantRead(c, "ping")
		}
		close(stop)
		<-done
		c.Close()
		w.wantClosed(echo, io.EOF)
		w.wantClosed(flood, io.EOF)
		if w.epoll && most > 2 { // a pump brings less at a time, and oftener
			w.Errorf("read %d times in one turn", most)
		}
	})
}
