package loop

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A stressed socket and its client exchange a known stream both ways while
// everything that can happen to a socket happens to it: each side sees a
// prefix of the stream, whole if both ended in order, and Closed once.
type stressed struct {
	hooks
	w       *world
	r       *rand.Rand // the socket's loop's
	timer   Timer
	read    int // bytes of the client's stream
	wrote   int // bytes of our stream
	orderly atomic.Bool
	moves   *atomic.Int64
}

// stream is the bytes that travel in one direction, over and over.
var stream = pattern(1 << 16)

func streamAt(off, n int) []byte {
	off %= len(stream)
	return stream[off:min(off+n, len(stream))]
}

// follows reports whether p is what comes at off.
func follows(off int, p []byte) bool {
	for len(p) > 0 {
		want := streamAt(off, len(p))
		if !bytes.Equal(p[:len(want)], want) {
			return false
		}
		off, p = off+len(want), p[len(want):]
	}
	return true
}

func (x *stressed) Read(now time.Time, p []byte) int {
	defer x.enter()()
	took := len(p)
	if x.r.IntN(3) == 0 {
		took = x.r.IntN(len(p) + 1)
	}
	if !follows(x.read, p[:took]) {
		x.w.Errorf("what arrived at %d is not what was sent", x.read)
	}
	x.read += took
	x.act()
	return took
}

func (x *stressed) End(_ time.Time, rest []byte) {
	defer x.enter()()
	if !follows(x.read, rest) {
		x.w.Errorf("the rest at %d is not what was sent", x.read)
	}
	x.read += len(rest)
	x.timer.Stop()
	x.s.Close(errBye, time.Second)
}

func (x *stressed) Drained(time.Time) {
	defer x.enter()()
	x.act()
}

func (x *stressed) Closed(now time.Time, err error) {
	x.timer.Stop()
	x.hooks.Closed(now, err)
}

func (x *stressed) Fire(time.Time) {
	x.s.SetRead(true)
	x.act()
}

// act does something random.
func (x *stressed) act() {
	for range x.r.IntN(3) {
		switch x.r.IntN(10) {
		case 0, 1, 2, 3:
			x.write()
		case 4:
			x.s.SetRead(false)
			x.s.Loop().After(time.Duration(x.r.IntN(int(3*tick))), &x.timer)
		case 5:
			x.s.SetRead(false)
			x.s.SetRead(true)
		case 6:
			x.s.Handle(x)
		case 7:
			x.timer.Stop()
			x.moves.Add(1)
			to := x.w.g.Loops()[x.r.IntN(len(x.w.g.Loops()))]
			x.s.Move(to, func(time.Time) {
				x.s.SetRead(true)
				x.write()
			})
			return // nothing more until then
		case 8:
			if x.r.IntN(100) == 0 {
				x.orderly.Store(false)
				x.s.Close(errBye, time.Duration(x.r.IntN(2))*time.Second)
				return
			}
		}
	}
}

func (x *stressed) write() {
	for range x.r.IntN(8) {
		if !x.s.Room(8 << 10) {
			return
		}
		p := streamAt(x.wrote, 1+x.r.IntN(8<<10))
		switch x.r.IntN(3) {
		case 0:
			x.s.Write(p)
		case 1:
			x.s.Lend(p)
		case 2:
			x.s.Commit(append(x.s.Reserve(x.r.IntN(len(p)+1)), p...))
		}
		x.wrote += len(p)
	}
}

// client talks to a stressed socket and ends as it likes.
func (x *stressed) client(c net.Conn, r *rand.Rand, bytes int) {
	var wg sync.WaitGroup
	defer wg.Wait()
	rude := r.IntN(4)
	var got, sent atomic.Int64
	wg.Go(func() {
		buf := make([]byte, 16<<10)
		for {
			n, err := c.Read(buf)
			if !follows(int(got.Load()), buf[:n]) {
				x.w.Errorf("the client got something else at %d", got.Load())
			}
			got.Add(int64(n))
			if err != nil {
				c.Close()
				return
			}
		}
	})
	for int(sent.Load()) < bytes {
		n, err := c.Write(streamAt(int(sent.Load()), 1+r.IntN(20<<10)))
		sent.Add(int64(n))
		if err != nil {
			break
		}
	}
	switch rude {
	case 0:
		x.orderly.Store(false)
		reset(c)
	case 1:
		x.orderly.Store(false)
		c.Close()
	default:
		closeWrite(c)
	}
	err := <-x.closed
	wg.Wait()
	if x.orderly.Load() && (x.read != int(sent.Load()) || x.wrote != int(got.Load()) || err != errBye) {
		x.w.Errorf("an orderly end, but %d of %d bytes came and %d of %d went: %v", x.read, sent.Load(), got.Load(), x.wrote, err)
	}
}

func TestStress(t *testing.T) {
	forEachPoller(t, 4, func(w *world) {
		seed := rand.Uint64()
		w.Logf("seed %d", seed)
		var moves atomic.Int64
		var wg sync.WaitGroup
		for i := range 30 {
			x := &stressed{w: w, r: rand.New(rand.NewPCG(seed, uint64(i))), moves: &moves}
			x.hooks.closed = make(chan error, 1)
			x.orderly.Store(true)
			x.timer.Owner = x
			c, server := w.pair()
			err := w.g.Adopt(server, nil, func(_ time.Time, s *Sock) Handler { x.s = s; return x })
			if err != nil {
				w.Fatal(err)
			}
			wg.Go(func() { x.client(c, rand.New(rand.NewPCG(seed, uint64(1000+i))), 512<<10) })
		}
		wg.Wait()
		if moves.Load() < 10 {
			w.Errorf("only %d moves", moves.Load())
		}
	})
}
