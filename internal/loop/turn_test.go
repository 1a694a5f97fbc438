package loop

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/memnet"
)

// TestSlowTurns checks that a loop complains at most once in ten seconds,
// and then of all that it kept to itself.
func TestSlowTurns(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	var w slowTurns
	now := time.Unix(1000, 0)
	for range 100 {
		w.note(slowTurn+time.Millisecond, now, log)
		w.note(slowTurn, now, log) // not slow
		now = now.Add(time.Second)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 10 {
		t.Fatalf("%d lines in 100 s:\n%s", len(lines), &out)
	}
	if !strings.Contains(lines[0], "turns=1") || !strings.Contains(lines[1], "turns=10") {
		t.Errorf("the lines do not count:\n%s\n%s", lines[0], lines[1])
	}
}

// TestWaiting lets an hour pass over connections that wait for something: the
// pollers keep no time of their own.
func TestWaiting(t *testing.T) {
	inVirtualTime(t, 1, func(w *world) {
		h := &hooks{}
		h.read = func(p []byte) int { h.s.Write(p); return len(p) }
		c := w.serve(h)
		vanished := &hooks{}
		v := w.serve(vanished)
		v.(*memnet.Conn).Freeze()
		for range 60 {
			time.Sleep(time.Minute)
			w.send(c, "ping")
			w.wantRead(c, "ping")
			vanished.on(func() { vanished.s.Write([]byte("ping")) })
		}
		synctest.Wait() // the last turn has written
		vanished.on(func() {
			if n := vanished.s.Waiting(); n != 0 {
				w.Errorf("%d bytes wait for a peer that could still take them", n)
			}
			vanished.s.Close(errBye, time.Second)
		})
		w.wantClosed(vanished, errBye)
		c.Close()
		w.wantClosed(h, io.EOF)
	})
}

// TestFanOut writes more sockets than a turn takes, each getting all of it.
func TestFanOut(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		const n = turnSocks + 50
		type end struct {
			h *hooks
			c io.ReadCloser
		}
		var all []end
		for range n {
			h := &hooks{}
			all = append(all, end{h, w.serve(h)})
		}
		frame := []byte(strings.Repeat("frame", 300))
		l := w.g.loops[0]
		for range 5 {
			on(l, func() {
				for _, e := range all {
					e.h.s.Lend(frame)
				}
			})
		}
		for _, e := range all {
			got := make([]byte, 5*len(frame))
			if _, err := io.ReadFull(e.c, got); err != nil || !bytes.Equal(got, bytes.Repeat(frame, 5)) {
				w.Fatalf("a subscriber read something else: %v", err)
			}
			e.c.Close()
		}
		for _, e := range all {
			w.wantClosed(e.h, io.EOF)
		}
	})
}
