package loop

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/memnet"
)

// TestClose ends connections in all the ways there are. Closed is told once,
// last, with the right reason.
func TestClose(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server func(s *Sock)              // on the loop
		client func(w *world, c net.Conn) // meanwhile
		want   error                      // what Closed hears
		took   func(d time.Duration) bool // in virtual time
	}{
		{"in order", func(s *Sock) {
			s.Write([]byte("last words"))
			s.Close(errBye, time.Second)
		}, func(w *world, c net.Conn) {
			w.wantRead(c, "last words")
			w.wantEOF(c)
			c.Close()
		}, errBye, atOnce},
		{"by the peer", func(*Sock) {}, func(_ *world, c net.Conn) { c.Close() }, io.EOF, atOnce},
		{"by a reset", func(*Sock) {}, func(_ *world, c net.Conn) { reset(c) }, syscall.ECONNRESET, atOnce},
		{"at once", func(s *Sock) {
			s.Close(errBye, 0)
			s.Close(io.ErrShortWrite, time.Second)
		}, func(w *world, c net.Conn) { w.wantEOF(c) }, errBye, atOnce},
		{"without a reason", func(s *Sock) { s.Close(nil, 0) }, func(*world, net.Conn) {}, ErrClosed, atOnce},
		{"cut short", func(s *Sock) {
			s.Close(errBye, time.Hour)
			s.Close(io.ErrShortWrite, 0)
		}, func(*world, net.Conn) {}, errBye, atOnce},
		{"the peer never finishes", func(s *Sock) {
			s.Write([]byte("last words"))
			s.Close(errBye, 50*time.Millisecond)
		}, func(w *world, c net.Conn) { w.wantRead(c, "last words"); w.wantEOF(c) }, errBye, lingers},
		{"the peer never reads", func(s *Sock) {
			s.Lend(make([]byte, 32<<20))
			s.Close(errBye, 50*time.Millisecond)
		}, func(*world, net.Conn) {}, errBye, lingers},
		{"the peer never stops writing", func(s *Sock) { s.Close(errBye, 50*time.Millisecond) },
			func(w *world, c net.Conn) {
				for p := make([]byte, 1<<10); ; time.Sleep(map[bool]time.Duration{true: time.Millisecond}[w.virtual]) {
					if _, err := c.Write(p); err != nil {
						return
					}
				}
			}, errBye, lingers},
		{"the peer resets a closing one", func(s *Sock) { s.Close(errBye, time.Minute) },
			func(_ *world, c net.Conn) { reset(c) }, errBye, atOnce},
		{"the peer had finished", func(s *Sock) {
			s.h.(*hooks).end = func([]byte) {
				s.Write([]byte("last words"))
				s.Close(errBye, time.Minute)
			}
		}, func(w *world, c net.Conn) {
			closeWrite(c)
			w.wantRead(c, "last words")
			w.wantEOF(c)
		}, errBye, atOnce},
		{"a paused one, whose peer writes before it reads", func(s *Sock) {
			s.SetRead(false)
			s.Lend(make([]byte, 1<<20))
			s.Close(errBye, time.Minute)
		}, func(w *world, c net.Conn) {
			if _, err := c.Write(make([]byte, 16<<20)); err != nil {
				w.Error(err)
			}
			closeWrite(c)
			if n, err := io.Copy(io.Discard, c); n != 1<<20 || err != nil {
				w.Errorf("client read %d bytes, %v", n, err)
			}
		}, errBye, atOnce},
	} {
		t.Run(tt.name, func(t *testing.T) {
			forEachPoller(t, 1, func(w *world) {
				h := &hooks{}
				c := w.serve(h)
				start := time.Now()
				var client sync.WaitGroup
				h.on(func() { tt.server(h.s) })
				client.Go(func() { tt.client(w, c) })
				w.wantClosed(h, tt.want)
				if took := time.Since(start); w.virtual && !tt.took(took) {
					t.Errorf("it took %v", took)
				}
				client.Wait()
				c.Close()
			})
		})
	}
}

func atOnce(d time.Duration) bool { return d == 0 }
func lingers(d time.Duration) bool {
	return d >= 50*time.Millisecond && d < 50*time.Millisecond+2*tick
}

// TestCloseInOpen closes a socket before it has a handler, or refuses one.
func TestCloseInOpen(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		c, server := w.pair()
		h := &hooks{closed: make(chan error, 1)}
		w.g.Adopt(server, []byte("ahead"), func(_ time.Time, s *Sock) Handler {
			s.Close(errBye, 0)
			return h
		})
		w.wantClosed(h, errBye)
		c.Close()
		c, server = w.pair()
		w.g.Adopt(server, nil, func(time.Time, *Sock) Handler { return nil })
		w.wantEOF(c)
		c.Close()
	})
}

// TestGroupClose closes a group whose peers do as they like.
func TestGroupClose(t *testing.T) {
	for _, tt := range []struct {
		name string
		peer func(c net.Conn)
		want error
		took time.Duration
	}{
		{"peers that close", func(c net.Conn) { io.Copy(io.Discard, c); c.Close() }, nil, 0},
		{"peers that read on", func(c net.Conn) { io.Copy(io.Discard, c) }, nil, time.Second},
		{"peers that stall", func(net.Conn) {}, nil, time.Second},
		{"peers that vanished", func(c net.Conn) { c.(*memnet.Conn).Freeze() }, nil, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inVirtualTime(t, 3, func(w *world) { closeWith(w, tt.peer, 10*time.Second, tt.want, tt.took) })
		})
		t.Run(tt.name+", and no time", func(t *testing.T) {
			want := context.DeadlineExceeded
			if tt.took == 0 {
				want = nil
			}
			inVirtualTime(t, 3, func(w *world) {
				closeWith(w, tt.peer, 500*time.Millisecond, want, min(tt.took, 500*time.Millisecond))
			})
		})
	}
}

func closeWith(w *world, peer func(c net.Conn), patience time.Duration, want error, took time.Duration) {
	var all []*hooks
	var peers sync.WaitGroup
	for range 20 {
		h := &hooks{}
		c := w.serve(h)
		h.on(func() { h.s.Write(make([]byte, 200<<10)) })
		all = append(all, h)
		peers.Go(func() { peer(c) })
	}
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	start := time.Now()
	if err := w.g.Close(ctx); !errors.Is(err, want) {
		w.Errorf("Close: %v, want %v", err, want)
	}
	if d := time.Since(start); d < took || d > took+2*tick {
		w.Errorf("Close took %v, want %v", d, took)
	}
	for _, h := range all {
		w.wantClosed(h, ErrShutdown)
	}
	peers.Wait()
	if err := w.g.Close(w.Context()); !errors.Is(err, want) {
		w.Errorf("Close again: %v, want %v", err, want)
	}
	w.g = newGroup(w) // for the check at the end
}

func newGroup(w *world) *Group { return newWorld(w.T, Goroutines, 1).g }

// TestAdoptWhileClosing races adoptions with the shutdown: each is refused, or
// opened and told Closed.
func TestAdoptWhileClosing(t *testing.T) {
	forEachPoller(t, 2, func(w *world) {
		var opened, closed, adopted atomic.Int64
		var wg sync.WaitGroup
		began := make(chan struct{}, 4)
		for range 4 {
			wg.Go(func() {
				for range 100 {
					c, server := w.pair()
					err := w.g.Adopt(server, nil, func(_ time.Time, s *Sock) Handler {
						opened.Add(1)
						return &hooks{s: s, closed: make(chan error, 1), told: func(error) { closed.Add(1) }}
					})
					if err == nil {
						adopted.Add(1)
					} else if !errors.Is(err, ErrShutdown) {
						w.Errorf("Adopt: %v", err)
					}
					if adopted.Load()%3 != 0 {
						defer c.Close()
					} else {
						c.Close()
					}
					select {
					case began <- struct{}{}:
					default:
					}
				}
			})
		}
		<-began
		w.g.Close(w.Context())
		wg.Wait()
		if a, o, c := adopted.Load(), opened.Load(), closed.Load(); a != o || o != c {
			w.Errorf("adopted %d, opened %d, closed %d", a, o, c)
		}
	})
}
