package loop

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// TestOneWritePerTurn checks the claim that everything a turn owes a socket
// leaves in one call.
func TestOneWritePerTurn(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		h := &hooks{}
		c := w.serve(h)
		frame := []byte(strings.Repeat("lent", 400))
		var want []byte
		var before uint64
		h.on(func() {
			before = h.s.loop.writes
			for range 9 { // less than what a pump takes at once
				h.s.Write([]byte("copied"))
				h.s.Lend(frame)
				h.s.Commit(append(h.s.Reserve(8), "reserved"...))
				want = append(append(append(want, "copied"...), frame...), "reserved"...)
			}
		})
		w.wantRead(c, string(want))
		h.on(func() {
			if n := h.s.loop.writes - before; n != 1 {
				w.Errorf("%d calls wrote one turn's bytes, want 1", n)
			}
		})
		c.Close()
		w.wantClosed(h, io.EOF)
	})
}

// TestDrained fills a socket whose peer does not read, again and again.
func TestDrained(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		const total, piece = 8 << 20, 1000
		want := pattern(total)
		sent, refused, most := 0, 0, 0
		h := &hooks{}
		fill := func() {
			for sent < total {
				p := want[sent:min(sent+piece, total)]
				if !h.s.Room(len(p)) {
					refused++
					return
				}
				h.s.Write(p)
				sent += len(p)
				most = max(most, h.s.Waiting())
			}
			h.s.Close(errBye, time.Minute)
		}
		h.drained = fill
		c := w.serve(h)
		h.on(fill)
		got, err := io.ReadAll(c)
		c.Close()
		if err != nil || !bytes.Equal(got, want) {
			w.Errorf("client read %d bytes, %v; want %d as they were sent", len(got), err, total)
		}
		w.wantClosed(h, errBye)
		if refused == 0 || most > HighWater {
			w.Errorf("refused %d times, at most %d bytes waited; want it to happen, and no more than %d", refused, most, HighWater)
		}
	})
}

// TestRoom asks for more than the high water at once: allowed while nothing waits.
func TestRoom(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		h := &hooks{}
		c := w.serve(h)
		h.on(func() {
			if !h.s.Room(10 * HighWater) {
				w.Error("no room in an empty queue")
			}
			h.s.Write(make([]byte, HighWater))
			if !h.s.Room(HighWater) { // makes room by writing
				w.Error("no room although the kernel takes what waits")
			}
			h.s.Close(errBye, 0)
			h.s.Write([]byte("x"))
			h.s.Lend([]byte("x"))
			h.s.Raw([]byte("x"))
			h.s.Commit(append(h.s.Reserve(1), 'x'))
			if n := h.s.Waiting(); n != 0 {
				w.Errorf("%d bytes wait in a closed socket", n)
			}
		})
		w.wantClosed(h, errBye)
		c.Close()
	})
}

// TestCommitAfterClose drops what is encoded for a socket that is closing,
// and leaves alone what is on its way out.
func TestCommitAfterClose(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		h := &hooks{}
		c := w.serve(h)
		h.on(func() {
			h.s.Write([]byte("last words"))
			h.s.Close(errBye, time.Second)
			h.s.Commit(append(h.s.Reserve(10), "too late"...))
		})
		w.wantRead(c, "last words")
		w.wantEOF(c)
		c.Close()
		w.wantClosed(h, errBye)
	})
}
