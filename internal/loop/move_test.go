package loop

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestMoveInsideRead moves a socket by what its first line says, over and
// over, while its peer goes on writing.
func TestMoveInsideRead(t *testing.T) {
	forEachPoller(t, 3, func(w *world) {
		var want, got []byte
		lines, moves := 0, 0
		h := &hooks{}
		h.read = func(p []byte) int {
			i := bytes.IndexByte(p, '\n')
			if i < 0 {
				return 0
			}
			got = append(got, p[:i+1]...)
			lines++
			from, to := h.s.loop, w.g.loops[lines/2%3] // every other time it stays
			h.s.Write([]byte("."))
			h.s.Move(to, func(now time.Time) {
				if h.s.Loop() != to || now != to.Now() {
					w.Error("then does not run on the loop it moved to")
				}
				if from != to {
					moves++
				}
			})
			return i + 1
		}
		c := w.serve(h)
		for i := range 500 {
			want = append(append(want, pattern(i)...), '\n')
		}
		var wg sync.WaitGroup
		wg.Go(func() { c.Write(want); closeWrite(c) })
		n, err := io.Copy(io.Discard, c)
		wg.Wait()
		w.wantClosed(h, io.EOF)
		if !bytes.Equal(got, want) || err != nil {
			w.Errorf("read %d bytes, want %d, %v", len(got), len(want), err)
		}
		if int(n) != lines || moves < lines/3 {
			w.Errorf("%d answers and %d moves for %d lines", n, moves, lines)
		}
	})
}

// TestMoveBlocked moves a socket whose peer does not read: what waits goes
// along, and so does the wish to hear Drained.
func TestMoveBlocked(t *testing.T) {
	forEachPoller(t, 2, func(w *world) {
		want := pattern(24 << 20)
		h := &hooks{}
		drained := make(chan *Loop, 1)
		h.drained = func() { drained <- h.s.Loop(); h.s.Close(errBye, time.Minute) }
		c := w.serve(h)
		h.on(func() {
			h.s.Write(want[:1<<20])
			h.s.Lend(want[1<<20:])
			if h.s.Room(1) {
				w.Error("room for more")
			}
		})
		from := h.s.loop
		to := w.g.loops[1-from.Index()]
		moved := make(chan struct{})
		on(from, func() { h.s.Move(to, func(time.Time) { close(moved) }) })
		<-moved
		if n, m := from.socks.Load(), to.socks.Load(); n != 0 || m != 1 {
			w.Errorf("the loops have %d and %d sockets after the move", n, m)
		}
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, want) {
			w.Errorf("client read %d bytes, %v; want %d", len(got), err, len(want))
		}
		if l := <-drained; l != to {
			w.Error("Drained was heard on the wrong loop")
		}
		c.Close()
		w.wantClosed(h, errBye)
	})
}

// TestMovePaused keeps a pause over a move, and what came during both.
func TestMovePaused(t *testing.T) {
	forEachPoller(t, 2, func(w *world) {
		var got []byte
		h := &hooks{}
		h.read = func(p []byte) int {
			if len(got) == 0 {
				h.s.SetRead(false)
				h.s.Move(w.g.loops[1], func(time.Time) {})
				got = append(got, p[0])
				return 1
			}
			got = append(got, p...)
			return len(p)
		}
		c := w.serve(h)
		w.send(c, "abc")
		w.settle()
		w.send(c, "def")
		closeWrite(c)
		w.settle()
		on(w.g.loops[1], func() {
			if string(got) != "a" {
				w.Errorf("read %q while paused", got)
			}
			h.s.SetRead(true)
		})
		w.wantClosed(h, io.EOF)
		if string(got) != "abcdef" {
			w.Errorf("read %q", got)
		}
	})
}

// TestMoveClosed closes a socket that is about to move: then does not run.
func TestMoveClosed(t *testing.T) {
	forEachPoller(t, 2, func(w *world) {
		for _, linger := range []time.Duration{0, time.Second} {
			h := &hooks{}
			c := w.serve(h)
			h.on(func() {
				h.s.Move(w.g.loops[1-h.s.loop.Index()], func(time.Time) { w.Error("moved though closed") })
				h.s.Close(errBye, linger)
			})
			c.Close()
			w.wantClosed(h, errBye)
		}
	})
}

// TestMoveWhileClosing races moves with the shutdown.
func TestMoveWhileClosing(t *testing.T) {
	for range 30 {
		w := newWorld(t, Auto, 3)
		var all []*hooks
		var clients []net.Conn
		began := make(chan struct{}, 10)
		for range 10 {
			h := &hooks{}
			var next func(time.Time)
			next = func(time.Time) {
				select {
				case began <- struct{}{}:
				default:
				}
				h.s.Move(w.g.loops[(h.s.Loop().Index()+1)%3], next)
			}
			clients = append(clients, w.serve(h))
			h.on(func() { next(time.Time{}) })
			all = append(all, h)
		}
		<-began
		for _, c := range clients {
			c.Close()
		}
		w.g.Close(t.Context())
		for _, h := range all {
			if err := <-h.closed; err == nil {
				t.Error("Closed without a reason")
			}
		}
		if n := w.g.Socks(); n != 0 {
			t.Fatalf("%d sockets are still counted", n)
		}
	}
}

// TestRelease answers and gives the connection back in one go, from inside
// Read, with what Read did not take.
func TestRelease(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		want := pattern(1 << 20)
		type back struct {
			conn net.Conn
			rest []byte
			err  error
		}
		done := make(chan back, 1)
		h := &hooks{}
		h.read = func([]byte) int {
			h.s.Write(want) // more than is taken at once
			h.s.Release(func(conn net.Conn, rest []byte, err error) { done <- back{conn, rest, err} })
			return len("request")
		}
		c := w.serve(h)
		w.send(c, "requestpipelined")
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			w.Fatalf("the answer did not come whole: %v", err)
		}
		b := <-done
		if b.err != nil {
			w.Fatal(b.err)
		}
		w.send(c, "more")
		closeWrite(c)
		rest, err := io.ReadAll(b.conn)
		if rest = slices.Concat(b.rest, rest); string(rest) != "pipelinedmore" || err != nil {
			w.Errorf("the next owner read %q, %v", rest, err)
		}
		b.conn.Write([]byte("bye"))
		b.conn.Close()
		w.wantRead(c, "bye")
		w.wantEOF(c)
		if n := w.g.Socks(); n != 0 {
			w.Errorf("%d sockets after the release", n)
		}
	})
}

// TestReleaseClosed releases sockets that are closed, or end before all was written.
func TestReleaseClosed(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		done := make(chan error, 3)
		tell := func(conn net.Conn, _ []byte, err error) {
			if conn != nil {
				w.Error("a connection came back with an error")
			}
			done <- err
		}
		h := &hooks{}
		c := w.serve(h)
		h.on(func() {
			h.s.Close(errBye, 0)
			h.s.Release(tell)
		})
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			w.Errorf("released a closed socket: %v", err)
		}
		w.wantClosed(h, errBye)
		c.Close()

		for _, end := range []func(h *hooks, c net.Conn){
			func(_ *hooks, c net.Conn) { reset(c) },
			func(h *hooks, c net.Conn) { h.on(func() { h.s.Close(errBye, time.Hour); h.s.Close(errBye, 0) }) },
		} {
			h = &hooks{told: func(error) { w.Error("Closed was told after Release") }}
			c = w.serve(h)
			h.on(func() {
				h.s.Lend(make([]byte, 32<<20))
				h.s.Release(tell)
			})
			end(h, c)
			if err := <-done; err == nil {
				w.Error("released although not all was written")
			}
			c.Close()
		}
	})
}
