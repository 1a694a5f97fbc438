package tcp

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/internal/testcert"
	"github.com/longwire/longwire/wire"
)

// serve runs s over ln on an engine of its own, until the test ends.
func serve(t *testing.T, ln net.Listener, s *Server, o *longwire.EngineOptions) {
	t.Helper()
	e, err := longwire.NewEngine(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Engine = e
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func dial(t *testing.T, ln net.Listener) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func echo(c *longwire.Conn, k longwire.Kind, p []byte) { c.Send(k, p) }

// closes is a Plain that echoes and reports what each connection ended with.
func closes() (*longwire.Plain, chan *longwire.Close) {
	ends := make(chan *longwire.Close, 100)
	return &longwire.Plain{
		Message: echo,
		Close:   func(_ *longwire.Conn, err error) { c, _ := errors.AsType[*longwire.Close](err); ends <- c },
	}, ends
}

func TestOversizedIsRefusedBeforeItIsBuffered(t *testing.T) {
	for _, tt := range []struct {
		f     *Framing
		first []byte
	}{
		{Uint32, binary.BigEndian.AppendUint32(nil, 1<<31)},
		{Varint, binary.AppendUvarint(nil, 1<<40)},
		{Lines, []byte(strings.Repeat("x", 1002))},
	} {
		t.Run(tt.f.Name, func(t *testing.T) {
			door, ends := closes()
			ln := listen(t)
			serve(t, ln, &Server{Acceptor: door, Framing: tt.f, MaxMessage: 1000}, nil)
			bystander, c := dial(t, ln), dial(t, ln)
			c.Write(tt.first)
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Fatalf("no orderly end: %v", err)
			}
			c.Close()
			if end := <-ends; end.Code != wire.CodeTooLarge || !strings.Contains(end.Reason, "1000") {
				t.Fatalf("ended with %v", end)
			}
			ping := tt.f.Append(nil, longwire.Binary, []byte("still here"))
			bystander.Write(ping)
			if _, err := io.ReadFull(bystander, make([]byte, len(ping))); err != nil {
				t.Fatalf("another connection was harmed: %v", err)
			}
		})
	}
}

func TestSilentClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door, ends := closes()
		ln := memnet.Listen("127.0.0.1:8888")
		farewell := func(c *longwire.Close) []byte { return []byte(c.Code) }
		serve(t, ln, &Server{Acceptor: door, Framing: Lines, FirstByte: 10 * time.Second, Farewell: farewell},
			&longwire.EngineOptions{Loops: 1, Goroutines: true})
		silent, err := ln.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slow, err := ln.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		slow.Write([]byte("h"))
		said, _ := io.ReadAll(silent)
		if string(said) != "handshake_timeout\n" {
			t.Errorf("the silent client heard %q", said)
		}
		if end := <-ends; end.Code != wire.CodeHandshakeTimeout {
			t.Errorf("ended with %v", end)
		}
		if d := time.Since(begin); d < 10*time.Second || d > 12*time.Second {
			t.Errorf("ended after %v", d)
		}
		// One that sends a byte a second is served, however long it takes.
		for _, b := range []byte("ello\n") {
			time.Sleep(time.Second)
			slow.Write([]byte{b})
		}
		if line, err := bufio.NewReader(slow).ReadString('\n'); line != "hello\n" {
			t.Errorf("the slow client got %q, %v", line, err)
		}
		silent.Close()
		slow.Close()
		<-ends
	})
}

// A framing of the user's own that panics at what a peer sends ends that link.
func TestFramingPanics(t *testing.T) {
	framing := *Lines
	framing.Next = func(p []byte, seen, max int) ([]byte, int, error) {
		if p[0] == '!' {
			panic("no framing")
		}
		return Lines.Next(p, seen, max)
	}
	framing.Rest = func([]byte) ([]byte, bool) { panic("no rest") }
	door, ends := closes()
	ln := listen(t)
	serve(t, ln, &Server{Acceptor: door, Framing: &framing, Log: slog.New(slog.DiscardHandler)}, &longwire.EngineOptions{Loops: 1})
	bystander := dial(t, ln)
	for _, tt := range []struct{ name, send, want string }{
		{"at once", "!\n", ""},
		{"after a message", "one\n!\n", "one\n"},
		{"at the end", "one\ntwo", "one\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, ln)
			io.WriteString(c, tt.send)
			c.CloseWrite()
			if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(tt.want, string(got)) {
				t.Errorf("heard %q, %v; want %q or nothing, and an orderly end", got, err, tt.want)
			}
			if end := <-ends; end.Code != wire.CodeHandlerPanic {
				t.Errorf("ended with %v", end)
			}
		})
	}
	io.WriteString(bystander, "still here\n")
	if line, err := bufio.NewReader(bystander).ReadString('\n'); line != "still here\n" {
		t.Errorf("another connection was harmed: %q, %v", line, err)
	}
}

func TestHalfClose(t *testing.T) {
	door, ends := closes()
	ln := listen(t)
	serve(t, ln, &Server{Acceptor: door, Framing: Lines}, nil)
	c := dial(t, ln)
	c.Write([]byte("one\ntwo\nthree"))
	c.CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "one\ntwo\nthree\n" {
		t.Fatalf("got %q, %v", got, err)
	}
	if end := <-ends; !end.Remote || end.Code != wire.CodeNormal && end.Code != "" {
		t.Fatalf("ended with %v", end)
	}
}

func TestVanishedPeer(t *testing.T) {
	door, ends := closes()
	ln := listen(t)
	serve(t, ln, &Server{Acceptor: door}, nil)
	c := dial(t, ln)
	c.Write([]byte("x"))
	io.ReadFull(c, make([]byte, 1))
	c.SetLinger(0) // a reset
	c.Close()
	if end := <-ends; end.Code != wire.CodeLost || end.Err == nil {
		t.Fatalf("ended with %v", end)
	}
}

func TestTLS(t *testing.T) {
	cert, pool := testcert.New(t)
	door, ends := closes()
	infos := make(chan *longwire.LinkInfo, 1)
	door.Open = func(c *longwire.Conn) error { infos <- c.Info(); return nil }
	ln := listen(t)
	farewell := func(c *longwire.Close) []byte { return []byte(c.Code) }
	serve(t, ln, &Server{Acceptor: door, Framing: Lines, Farewell: farewell,
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}, nil)

	plain := dial(t, ln)
	plain.Write([]byte("hello\n")) // no TLS: refused, and nobody is harmed

	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for _, m := range []string{"hello", strings.Repeat("long ", 50_000)} {
		go c.Write([]byte(m + "\n"))
		if got, err := r.ReadString('\n'); got != m+"\n" {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	info := <-infos
	if info.TLS == nil || info.TLS.ServerName != "localhost" || !info.Remote.IsValid() || info.Local.String() != ln.Addr().String() {
		t.Errorf("info %+v", info)
	}
	c.Close()
	if end := <-ends; !end.Remote || end.Code == wire.CodeLost {
		t.Errorf("ended with %v", end)
	}
	if said, err := io.ReadAll(plain); string(said) != "needs_tls\n" {
		t.Errorf("plaintext was answered %q, %v", said, err)
	}
}

func TestServeWithoutAcceptor(t *testing.T) {
	if err := (&Server{}).Serve(listen(t)); err == nil || !strings.Contains(err.Error(), "Acceptor") {
		t.Fatal(err)
	}
}

func TestAddressInUse(t *testing.T) {
	ln := listen(t)
	defer ln.Close()
	err := (&Server{Acceptor: &longwire.Plain{}}).ListenAndServe(ln.Addr().String())
	if err == nil || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Fatal(err)
	}
}

func TestServeAfterClose(t *testing.T) {
	s := &Server{Acceptor: &longwire.Plain{}}
	s.Close()
	if err := s.Serve(listen(t)); !errors.Is(err, ErrServerClosed) {
		t.Fatal(err)
	}
}
