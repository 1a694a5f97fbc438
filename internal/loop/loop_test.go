package loop

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

type echo struct {
	s    *Sock
	done chan error
}

func (e *echo) Read(_ time.Time, p []byte) int {
	e.s.Write(p)
	if !e.s.Room(1) {
		e.s.SetRead(false)
	}
	return len(p)
}
func (e *echo) End(time.Time, []byte)         { e.s.Close(io.EOF, time.Second) }
func (e *echo) Drained(time.Time)             { e.s.SetRead(true) }
func (e *echo) Closed(_ time.Time, err error) { e.done <- err }

func TestEcho(t *testing.T) {
	for _, p := range []Poller{Auto, Goroutines} {
		g, err := New(&Options{Poller: p})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		sc, _ := ln.Accept()
		ln.Close()
		e := &echo{done: make(chan error, 1)}
		g.Adopt(sc, []byte("ahead "), func(_ time.Time, s *Sock) Handler { e.s = s; return e })
		const n = 32 << 20
		go func() {
			buf := make([]byte, 1<<20)
			for range n / len(buf) {
				if _, err := c.Write(buf); err != nil {
					t.Error(err)
					return
				}
			}
			c.(*net.TCPConn).CloseWrite()
		}()
		got, err := io.Copy(io.Discard, c)
		if err != nil || got != n+6 {
			t.Fatal(got, err)
		}
		if err := <-e.done; err != io.EOF {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := g.Close(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		c.Close()
	}
}
