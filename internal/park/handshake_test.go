package park

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// Rule 7 of TLS on a loop.

// Neither clients that say nothing nor ones that stop in the middle of the
// handshake keep honest ones waiting.
func TestTLS7SilentClientsHoldNoSlot(t *testing.T) {
	g := newGroup(t, nil)
	ln := WrapListener(listen(t), nil)
	served := make(chan error, 1)
	go func() {
		served <- ln.Serve(g, &Door{TLS: serverTLS(t), Open: func(_ time.Time, s *loop.Sock, _ Peer) loop.Handler {
			return newScript(s)
		}})
	}()
	defer func() {
		ln.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	var hello bytes.Buffer
	tls.Client(recorder{w: &hello}, clientTLS(tls.VersionTLS13)).Handshake()
	for i := range 3 * cap(handshakeSlots) {
		c := dial(t, ln.Addr(), nil)
		switch i % 3 {
		case 0: // silent
		case 1: // half a ClientHello
			c.Write(hello.Bytes()[:hello.Len()/2])
		case 2: // gets all of the server's flight, and stops
			c.Write(hello.Bytes())
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
		}
	}
	begin := time.Now()
	for range 10 {
		c := dial(t, ln.Addr(), clientTLS(tls.VersionTLS13)).(*tls.Conn)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("10 handshakes took %v", d)
	}
}

// recorder is a connection that takes what is written and brings nothing.
type recorder struct {
	net.Conn
	w io.Writer
}

func (r recorder) Write(p []byte) (int, error)    { return r.w.Write(p) }
func (recorder) Read([]byte) (int, error)         { return 0, io.EOF }
func (recorder) Close() error                     { return nil }
func (recorder) SetWriteDeadline(time.Time) error { return nil }

// No more handshakes are computed at once than there are slots.
func TestTLS7SlotsBoundComputing(t *testing.T) {
	slots := make(chan struct{}, 2)
	var computing, most atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			a, b := net.Pipe()
			defer a.Close()
			defer b.Close()
			go func() {
				for {
					if _, err := b.Write(make([]byte, 1)); err != nil {
						return
					}
				}
			}()
			g := &gate{slots: slots, due: time.Now().Add(time.Minute)}
			for range 50 {
				if _, err := g.read(a, make([]byte, 1)); err != nil {
					t.Error(err)
				}
				n := computing.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				computing.Add(-1)
			}
			g.leave()
		})
	}
	wg.Wait()
	if n := most.Load(); n > 2 {
		t.Errorf("%d at once", n)
	}
	if len(slots) != 0 {
		t.Errorf("%d slots were not given back", len(slots))
	}
}
