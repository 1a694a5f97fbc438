package loop

import (
	"io"
	"testing"
	"time"
)

// BenchmarkPost measures a task from another goroutine: to a loop that
// sleeps, there and back, and to one that is awake, one way.
func BenchmarkPost(b *testing.B) {
	b.Run("asleep", func(b *testing.B) {
		l := newWorld(b, Auto, 1).loopOf(b)
		done := make(chan struct{})
		task := func(time.Time) { done <- struct{}{} }
		b.ReportAllocs()
		for b.Loop() {
			l.Post(task)
			<-done
		}
	})
	b.Run("busy", func(b *testing.B) {
		l := newWorld(b, Auto, 1).loopOf(b)
		task := func(time.Time) {}
		b.ReportAllocs()
		for b.Loop() {
			for !l.Post(task) {
				on(l, func() {})
			}
		}
	})
}

func (w *world) loopOf(b *testing.B) *Loop {
	b.Cleanup(func() { w.g.Close(b.Context()) })
	return w.g.loops[0]
}

// BenchmarkTimer arms and stops one of 20,000 timers.
func BenchmarkTimer(b *testing.B) {
	l := &Loop{}
	timers := make([]Timer, 20_000)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		t := &timers[i%len(timers)]
		l.After(time.Duration(i%2500)*10*time.Millisecond, t)
		if i%2 == 0 {
			t.Stop()
		}
		i++
	}
}

// BenchmarkEcho measures a message there and back over loopback; the client
// blocks in Go's own way. The loop's part must allocate nothing.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{64, 4 << 10} {
		b.Run(map[bool]string{true: "64B", false: "4KiB"}[size == 64], func(b *testing.B) {
			w := newWorld(b, Auto, 1)
			w.loopOf(b)
			c, server := tcpPair(b)
			defer c.Close()
			h := &hooks{closed: make(chan error, 1)}
			e := echo{h}
			w.g.Adopt(server, nil, func(_ time.Time, s *Sock) Handler { h.s = s; return e })
			p := make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				c.Write(p)
				if _, err := io.ReadFull(c, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// echo is hooks with a Read that costs nothing.
type echo struct{ *hooks }

func (e echo) Read(_ time.Time, p []byte) int {
	e.s.Write(p)
	return len(p)
}
