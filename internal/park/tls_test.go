package park

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// The seven rules of TLS on a loop (see layer), a test each.

// tlsPair returns a TLS client over a raw connection, and the parked server
// end's script, made on the loop by open.
func tlsPair(t *testing.T, g *loop.Group, server, client *tls.Config, small bool, open func(s *loop.Sock, from Peer) *script) (*tls.Conn, *net.TCPConn, *script) {
	t.Helper()
	lc, d := net.ListenConfig{}, net.Dialer{}
	if small { // buffers that are soon full
		lc.Control = func(_, _ string, c syscall.RawConn) error { return setBuffer(c, syscall.SO_SNDBUF) }
		d.Control = func(_, _ string, c syscall.RawConn) error { return setBuffer(c, syscall.SO_RCVBUF) }
	}
	raw, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := WrapListener(raw, nil)
	opened := make(chan *script, 1)
	served := make(chan error, 1)
	go func() {
		served <- ln.Serve(g, &Door{TLS: server, Open: func(_ time.Time, s *loop.Sock, from Peer) loop.Handler {
			if from.TLS == nil || !from.Addr.IsValid() {
				t.Errorf("peer %+v", from)
			}
			h := open(s, from)
			opened <- h
			return h
		}})
	}()
	c, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	tc := tls.Client(c, client)
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	h := <-opened
	t.Cleanup(func() {
		c.Close()
		ln.Close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return tc, c.(*net.TCPConn), h
}

func setBuffer(c syscall.RawConn, opt int) (err error) {
	cerr := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, opt, 4<<10) })
	return errors.Join(cerr, err)
}

func quiet(s *loop.Sock, _ Peer) *script { return newScript(s) }

func on(t *testing.T, s *loop.Sock, f func()) {
	t.Helper()
	done := make(chan struct{})
	if !s.Loop().Post(func(time.Time) { f(); close(done) }) {
		t.Fatal("the loop has ended")
	}
	<-done
}

func pollers(t *testing.T, test func(t *testing.T, g *loop.Group)) {
	for name, p := range map[string]loop.Poller{"auto": loop.Auto, "goroutines": loop.Goroutines} {
		t.Run(name, func(t *testing.T) { test(t, newGroup(t, &loop.Options{Loops: 1, Poller: p})) })
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func TestTLS1InnerWriteCopiesAndSucceeds(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		tc, _, h := tlsPair(t, g, serverTLS(t), clientTLS(tls.VersionTLS13), true, quiet)
		want := pattern(1 << 20)
		on(t, h.s, func() {
			buf := bytes.Clone(want)
			h.s.Write(buf)
			h.s.Room(loop.HighWater) // flush now; the socket soon refuses
			clear(buf)
		})
		on(t, h.s, func() {
			if h.s.Waiting() == 0 {
				t.Error("the socket refused nothing")
			}
		})
		got := make([]byte, len(want))
		if _, err := io.ReadFull(tc, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read: %v, equal: %v", err, bytes.Equal(got, want))
		}
		on(t, h.s, func() { h.s.Write([]byte("still well")) })
		wantRead(t, tc, "still well")
	})
}

func TestTLS2WhatReadsWriteIsBounded(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		var log bytes.Buffer
		cfg := clientTLS(tls.VersionTLS13)
		cfg.KeyLogWriter = &log
		tc, raw, h := tlsPair(t, g, serverTLS(t), cfg, true, quiet)
		w := newRecordWriter(t, tc, raw, log.String())
		go func() {
			for range 20_000 { // each asks for 27 bytes of answer, and the answers are not read
				if w.keyUpdate(true) != nil || w.data([]byte("x")) != nil {
					return
				}
			}
		}()
		select {
		case err := <-h.closed:
			if !errors.Is(err, loop.ErrFlooded) {
				t.Fatalf("closed: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a peer that provokes answers and does not read them was not cut")
		}
	})
}

// spy is a layer that notes how it is written to.
type spy struct {
	loop.Layer
	pieces []int
	before func(n int)
}

func (y *spy) Write(p []byte) error {
	y.before(len(p))
	y.pieces = append(y.pieces, len(p))
	return y.Layer.Write(p)
}

func TestTLS3WritesJoinedPiecesWhileNothingWaits(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		server := serverTLS(t)
		server.DynamicRecordSizingDisabled = true // a piece is a record
		var y *spy
		owed := 0
		tc, _, h := tlsPair(t, g, server, clientTLS(tls.VersionTLS13), true, func(s *loop.Sock, from Peer) *script {
			y = &spy{Layer: &layer{conn: from.TLS.NetConn().(*Conn), tls: from.TLS}}
			y.before = func(n int) {
				if cipher := s.Waiting() - owed; cipher != 0 {
					t.Errorf("written while %d bytes of ciphertext wait", cipher)
				}
				owed -= n
			}
			s.SetLayer(y) // instead of the one that Serve has put on
			return newScript(s)
		})
		on(t, h.s, func() {
			for range 100 {
				h.s.Write(make([]byte, 100))
				owed += 100
			}
		})
		io.ReadFull(tc, make([]byte, 10_000))
		on(t, h.s, func() {
			if len(y.pieces) != 1 || y.pieces[0] != 10_000 {
				t.Errorf("100 messages of 100 bytes became pieces of %v", y.pieces)
			}
			for range 1000 {
				h.s.Lend(make([]byte, 1500))
				owed += 1500
			}
		})
		io.ReadFull(tc, make([]byte, 1_500_000))
		on(t, h.s, func() {
			for _, n := range y.pieces {
				if n > 16<<10 {
					t.Errorf("a piece of %d bytes", n)
				}
			}
			if n := len(y.pieces); n > 1+1_500_000/(16<<10)+10 {
				t.Errorf("1.5 MB became %d pieces", n)
			}
		})
	})
}

func TestTLS4InnerReadSaysTemporary(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	c := &Conn{inner: b}
	server := tls.Server(c, serverTLS(t))
	client := tls.Client(a, clientTLS(tls.VersionTLS13))
	go server.Handshake()
	go func() { // the session ticket
		io.ReadFull(client, make([]byte, 1))
	}()
	if err := errors.Join(client.Handshake(), server.Handshake()); err != nil {
		t.Fatal(err)
	}
	c.sock = new(loop.Sock)
	if n, err := c.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Fatalf("read: %d, %v", n, err)
	} else if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() || !ne.Temporary() { //nolint:staticcheck // deprecated, but what crypto/tls goes by
		t.Fatalf("read: %v", err)
	}
	l := &layer{conn: c, tls: server}
	record := make(chan []byte, 1)
	go func() {
		p := make([]byte, 1000)
		n, _ := io.ReadAtLeast(b, p, 122) // one record of 100 bytes
		record <- p[:n]
	}()
	want := strings.Repeat("0123456789", 10)
	io.WriteString(client, want)
	p := make([]byte, 200)
	for i, octet := range <-record {
		if n, err := l.Read(p); n != 0 || !errors.Is(err, loop.ErrAgain) {
			t.Fatalf("after %d bytes: %d, %v", i, n, err)
		}
		l.Feed([]byte{octet})
	}
	if n, err := l.Read(p); err != nil || string(p[:n]) != want {
		t.Fatalf("%q, %v", p[:n], err)
	}
}

func TestTLS5StoppedReadingGoesOn(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		var got bytes.Buffer
		all := make(chan struct{})
		const total = 300 << 10
		tc, _, _ := tlsPair(t, g, serverTLS(t), clientTLS(tls.VersionTLS13), false, func(s *loop.Sock, _ Peer) *script {
			h := newScript(s)
			h.read = func(p []byte) int { // takes a little, pauses, and goes on later
				n := min(len(p), 5000)
				got.Write(p[:n])
				s.SetRead(false)
				s.Loop().Post(func(time.Time) { s.SetRead(true) })
				if got.Len() == total {
					close(all)
				}
				return n
			}
			return h
		})
		want := pattern(total)
		if _, err := tc.Write(want); err != nil {
			t.Fatal(err)
		}
		select {
		case <-all:
		case <-time.After(10 * time.Second):
			t.Fatal("bytes inside crypto/tls were forgotten")
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Error("not the same bytes")
		}
	})
}

func TestTLS6EndWithoutCloseNotifyIsACut(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		ended := make(chan struct{}, 2)
		open := func(s *loop.Sock, _ Peer) *script {
			h := newScript(s)
			h.end = func([]byte) {
				ended <- struct{}{}
				s.Write([]byte("last words"))
				s.Close(io.EOF, time.Second)
			}
			return h
		}
		_, raw, cut := tlsPair(t, g, serverTLS(t), clientTLS(tls.VersionTLS13), false, open)
		raw.CloseWrite()
		if err := <-cut.closed; err == nil || errors.Is(err, io.EOF) || len(ended) > 0 {
			t.Errorf("cut: closed with %v, ended %d times", err, len(ended))
		}

		tc, _, h := tlsPair(t, g, serverTLS(t), clientTLS(tls.VersionTLS13), false, open)
		tc.CloseWrite()
		<-ended
		if rest, err := io.ReadAll(tc); err != nil || string(rest) != "last words" { // an EOF without close_notify would be unexpected
			t.Errorf("after close_notify: %q, %v", rest, err)
		}
		tc.NetConn().Close()
		if err := <-h.closed; !errors.Is(err, io.EOF) {
			t.Errorf("closed: %v", err)
		}
	})
}

// A connection that moves in the middle of all it was fed loses nothing.
func TestTLS5MovesWhole(t *testing.T) {
	for name, p := range map[string]loop.Poller{"auto": loop.Auto, "goroutines": loop.Goroutines} {
		t.Run(name, func(t *testing.T) {
			g := newGroup(t, &loop.Options{Loops: 2, Poller: p})
			var got bytes.Buffer
			const total = 300 << 10
			moves := 0
			tc, _, h := tlsPair(t, g, serverTLS(t), clientTLS(tls.VersionTLS13), false, func(s *loop.Sock, _ Peer) *script {
				h := newScript(s)
				h.read = func(p []byte) int {
					n := min(len(p), 5000)
					got.Write(p[:n])
					moves++
					s.Move(g.Loops()[moves%2], func(time.Time) {
						s.Write([]byte("moved."))
						if got.Len() == total {
							s.Close(io.EOF, time.Second)
						}
					})
					return n
				}
				return h
			})
			want := pattern(total)
			go tc.Write(want)
			answer, err := io.ReadAll(tc)
			if err != nil {
				t.Fatal(err)
			}
			tc.NetConn().Close()
			<-h.closed
			if !bytes.Equal(got.Bytes(), want) || len(answer) != len("moved.")*moves {
				t.Errorf("%d bytes, %d moves, %d bytes of answer", got.Len(), moves, len(answer))
			}
		})
	}
}

// The closing of a connection that still owes much says all of it, then close_notify.
func TestTLS6ClosingFlushes(t *testing.T) {
	pollers(t, func(t *testing.T, g *loop.Group) {
		tc, _, h := tlsPair(t, g, serverTLS(t), clientTLS(tls.VersionTLS13), true, quiet)
		want := pattern(200 << 10)
		on(t, h.s, func() { h.s.Write(want); h.s.Close(nil, time.Second) })
		got, err := io.ReadAll(tc)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read %d bytes, %v", len(got), err)
		}
	})
}
