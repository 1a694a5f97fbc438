package park

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/memnet"
)

func TestServe(t *testing.T) {
	for _, tt := range []struct {
		name   string
		poller loop.Poller
		tls    bool
	}{
		{"descriptors", loop.Auto, false},
		{"goroutines", loop.Goroutines, false},
		{"TLS", loop.Auto, true},
		{"TLS, goroutines", loop.Goroutines, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, &loop.Options{Loops: 2, Poller: tt.poller})
			ln, err := Listen(t.Context(), "tcp", "localhost:0", nil)
			if err != nil {
				t.Fatal(err)
			}
			peers := make(chan Peer, 10)
			d := &Door{Open: func(_ time.Time, s *loop.Sock, from Peer) loop.Handler {
				peers <- from
				return echoes(s, from)
			}}
			client := clientTLS(0)
			if tt.tls {
				d.TLS = serverTLS(t)
			} else {
				client = nil
			}
			served := make(chan error, 1)
			go func() { served <- ln.Serve(g, d) }()
			var conns []net.Conn
			for range 10 {
				c := dial(t, ln.Addr(), client)
				conns = append(conns, c)
				io.WriteString(c, "hello")
				wantRead(t, c, "hello")
				if p := <-peers; p.Addr.String() != c.LocalAddr().String() || (p.TLS != nil) != tt.tls {
					t.Errorf("peer %+v of %v", p, c.LocalAddr())
				}
			}
			if err := ln.Close(); err != nil {
				t.Error(err)
			}
			if err := <-served; err != nil {
				t.Errorf("serve: %v", err)
			}
			if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("accept after closing: %v", err)
			}
			if c, err := net.DialTimeout("tcp", ln.Addr().String(), time.Second); err == nil {
				c.Close()
				t.Error("still listening")
			}
			for _, c := range conns { // those that were accepted live
				io.WriteString(c, "again")
				wantRead(t, c, "again")
			}
		})
	}
}

func TestListenInUse(t *testing.T) {
	ln, err := Listen(t.Context(), "tcp", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if l, err := Listen(t.Context(), "tcp", ln.Addr().String(), nil); err == nil {
		l.Close()
		t.Error("two listeners on one port")
	}
}

// A listener of one's own: parking works over any net.Conn.
func TestServeMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := loop.New(&loop.Options{Loops: 1, Poller: loop.Goroutines})
		if err != nil {
			t.Fatal(err)
		}
		mem := memnet.Listen("memory")
		ln := WrapListener(mem, nil)
		served := make(chan error, 1)
		go func() {
			served <- ln.Serve(g, &Door{Open: func(_ time.Time, s *loop.Sock, p Peer) loop.Handler { return echoes(s, p) }})
		}()
		c, err := mem.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "hello")
		wantRead(t, c, "hello")
		c.Close()
		ln.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		g.Close(context.Background())
	})
}

// A client that is silent in its handshake is cut after 10 s.
func TestHandshakeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := loop.New(&loop.Options{Loops: 1, Poller: loop.Goroutines})
		if err != nil {
			t.Fatal(err)
		}
		mem := memnet.Listen("memory")
		ln := WrapListener(mem, nil)
		failed := make(chan error, 1)
		served := make(chan error, 1)
		go func() {
			served <- ln.Serve(g, &Door{
				TLS:    serverTLS(t),
				Open:   func(time.Time, *loop.Sock, Peer) loop.Handler { t.Error("opened"); return nil },
				Failed: func(_ net.Addr, err error) { failed <- err },
			})
		}()
		begin := time.Now()
		c, err := mem.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var slow sync.WaitGroup
		slow.Go(func() { // a byte a second is no better than nothing
			for _, err := c.Write([]byte{22}); err == nil; _, err = c.Write([]byte{3}) {
				time.Sleep(time.Second)
			}
		})
		if err := <-failed; !errors.Is(err, ErrHandshake) {
			t.Errorf("failed: %v", err)
		}
		if d := time.Since(begin); d != 10*time.Second {
			t.Errorf("after %v", d)
		}
		c.Close()
		slow.Wait()
		ln.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		g.Close(context.Background())
	})
}

// limited is a listener that is out of descriptors for a while.
type limited struct {
	*memnet.Listener
	errs []error
}

func (l *limited) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, err
	}
	return l.Listener.Accept()
}

func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		emfile := os.NewSyscallError("accept4", errEMFILE)
		inner := &limited{memnet.Listen("memory"), slices.Repeat([]error{emfile}, 50)}
		var log strings.Builder
		ln := WrapListener(inner, &Options{Log: textLog(&log)})
		begin := time.Now()
		client, err := inner.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := ln.Accept() // the first gives up the reserve, the others wait: accept does not spin
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d < 40*fullPoll {
			t.Errorf("50 failures took %v", d)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines: %s", n, log.String())
		}
		c.Close()
		client.Close()

		odd := errors.New("odd")
		inner.errs = []error{odd}
		if _, err := ln.Accept(); !errors.Is(err, odd) {
			t.Errorf("accept: %v", err)
		}
		ln.Close()
	})
}
