package loop

import (
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/leak"
	"github.com/longwire/longwire/internal/memnet"
)

func TestMain(m *testing.M) { leak.Main(m) }

var errBye = errors.New("bye")

// A world is a group under one of the pollers, and a network to reach it by.
type world struct {
	*testing.T
	g       *Group
	pair    func() (client, server net.Conn)
	epoll   bool
	virtual bool
}

// forEachPoller runs body over epoll and real sockets, over pumps and real
// sockets, and over pumps and memory in virtual time. The group is closed in
// order afterwards.
func forEachPoller(t *testing.T, loops int, body func(w *world)) {
	if runtime.GOOS == "linux" {
		t.Run("epoll", func(t *testing.T) { newWorld(t, Epoll, loops).run(body) })
	}
	t.Run("goroutines", func(t *testing.T) { newWorld(t, Goroutines, loops).run(body) })
	t.Run("virtual", func(t *testing.T) { inVirtualTime(t, loops, body) })
}

func inVirtualTime(t *testing.T, loops int, body func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Goroutines, loops)
		w.virtual = true
		w.pair = func() (net.Conn, net.Conn) { return memnet.Pipe() }
		w.run(body)
	})
}

func newWorld(t testing.TB, p Poller, loops int) *world {
	g, err := New(&Options{Poller: p, Loops: loops})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{g: g, epoll: p == Epoll}
	w.T, _ = t.(*testing.T)
	w.pair = func() (net.Conn, net.Conn) { return tcpPair(t) }
	return w
}

func (w *world) run(body func(w *world)) {
	body(w)
	// Without a deadline, so that a socket that a test left is an error at once.
	if err := w.g.Close(w.Context()); err != nil {
		w.Errorf("Close: %v", err)
	}
	if n := w.g.Socks(); n != 0 {
		w.Errorf("%d sockets are still counted", n)
	}
}

func tcpPair(t testing.TB) (client, server net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// hooks is a handler of functions; nil ones take everything and do nothing.
type hooks struct {
	s       *Sock
	read    func(p []byte) int
	end     func(rest []byte)
	drained func()
	told    func(err error)
	closed  chan error // what Closed heard
	inside  bool
}

func (h *hooks) enter() func() {
	if h.inside {
		panic("a callback runs inside another one")
	}
	h.inside = true
	return func() { h.inside = false }
}

func (h *hooks) Read(_ time.Time, p []byte) int {
	defer h.enter()()
	if h.read == nil {
		return len(p)
	}
	return h.read(p)
}

func (h *hooks) End(_ time.Time, rest []byte) {
	defer h.enter()()
	if h.end != nil {
		h.end(rest)
		return
	}
	h.s.Close(io.EOF, time.Second)
}

func (h *hooks) Drained(time.Time) {
	defer h.enter()()
	if h.drained != nil {
		h.drained()
	}
}

func (h *hooks) Closed(_ time.Time, err error) {
	defer h.enter()()
	if h.told != nil {
		h.told(err)
	}
	select {
	case h.closed <- err:
	default:
		panic("Closed twice")
	}
}

// serve adopts the server's end of a new connection with h and returns the
// client's once the socket is open.
func (w *world) serve(h *hooks) net.Conn {
	w.Helper()
	client, server := w.pair()
	h.closed = make(chan error, 1)
	open := make(chan struct{})
	err := w.g.Adopt(server, nil, func(_ time.Time, s *Sock) Handler {
		h.s = s
		close(open)
		return h
	})
	if err != nil {
		w.Fatal(err)
	}
	<-open
	w.Cleanup(func() { client.Close() })
	return client
}

// on runs f on the loop of h's socket and waits for it.
func (h *hooks) on(f func()) { on(h.s.loop, f) }

func on(l *Loop, f func()) {
	done := make(chan struct{})
	if !l.must(taskFunc(func(time.Time) { f(); close(done) })) {
		panic("the loop has ended")
	}
	<-done
}

// wantClosed waits for the end of h's socket.
func (w *world) wantClosed(h *hooks, want error) {
	w.Helper()
	if err := <-h.closed; !errors.Is(err, want) {
		w.Errorf("Closed heard %v, want %v", err, want)
	}
}

// settle waits until all that was done to other connections so far has been
// heard by the loops: for tests that something does not happen.
func (w *world) settle() {
	if w.virtual {
		synctest.Wait()
		return
	}
	for range 3 {
		for _, l := range w.g.loops {
			got := make(chan struct{})
			client, server := w.pair()
			l.Adopt(server, nil, func(_ time.Time, s *Sock) Handler {
				h := &hooks{s: s, closed: make(chan error, 1), told: func(error) { close(got) }}
				return h
			})
			client.Write([]byte("x"))
			client.Close()
			<-got
		}
	}
}

// send writes to a client's connection, and read reads exactly n bytes.
func (w *world) send(c net.Conn, s string) {
	w.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		w.Fatal(err)
	}
}

func (w *world) wantRead(c net.Conn, want string) {
	w.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		w.Fatalf("client read %q, %v; want %q", got, err, want)
	}
}

func (w *world) wantEOF(c net.Conn) {
	w.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		w.Errorf("client read %d bytes, %v; want the end", n, err)
	}
}

// closeWrite is the client's half close, and reset its sudden end.
func closeWrite(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() }

func reset(c net.Conn) {
	switch c := c.(type) {
	case *net.TCPConn:
		c.SetLinger(0)
		c.Close()
	case *memnet.Conn:
		c.Cut()
	}
}
