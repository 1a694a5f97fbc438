package client

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/transport/ws"
)

// A house is a node that serves every way in, with a door that can be slammed: all connections
// come through a relay.
type house struct {
	*longwire.Node
	http, tcp *relay
}

func newHouse(t *testing.T, o *longwire.Options) *house {
	t.Helper()
	e, err := longwire.NewEngine(nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Open, o.Engine = true, e
	node, err := longwire.New(o)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Node: node}

	httpLn, err := longwire.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	httpSrv := &http.Server{Handler: node.Handler(ws.Way, stream.Way)}
	tcpLn := listen(t)
	tcpSrv := tcp.Session(node)
	var wg sync.WaitGroup
	wg.Go(func() { httpSrv.Serve(httpLn) })
	wg.Go(func() { tcpSrv.Serve(tcpLn) })
	h.http, h.tcp = newRelay(t, httpLn.Addr().String(), nil), newRelay(t, tcpLn.Addr().String(), nil)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		httpSrv.Close()
		tcpSrv.Close()
		e.Close(ctx)
		node.Close(ctx)
		wg.Wait()
	})
	return h
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// addr is where to dial for a way in.
func (h *house) addr(via Via) string {
	if via == TCP {
		return "tcp://" + h.tcp.addr
	}
	return "http://" + h.http.addr
}

// A guest is a client whose connections can be interrupted.
type guest struct {
	*Client
	h          *house
	lost, back chan struct{}
}

func (h *house) dial(t *testing.T, via Via) *guest {
	t.Helper()
	g := &guest{h: h, lost: make(chan struct{}, 1), back: make(chan struct{}, 1)}
	c, err := Dial(t.Context(), h.addr(via), &Options{
		Via:     via,
		MaxWait: 50 * time.Millisecond,
		Lost:    func(error, time.Duration) { tell(g.lost) },
		Back:    func() { tell(g.back) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	g.Client = c
	return g
}

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// interrupt cuts all connections and lets none through until the client has
// noticed, and waits until it is back.
func (g *guest) interrupt() {
	for _, r := range []*relay{g.h.http, g.h.tcp} {
		r.cut(true)
	}
	<-g.lost
	for _, r := range []*relay{g.h.http, g.h.tcp} {
		r.cut(false)
	}
	<-g.back
	select {
	case <-g.lost: // of attempts that failed
	default:
	}
}

// everyWay runs a test over each way in.
func everyWay(t *testing.T, f func(t *testing.T, via Via)) {
	for _, via := range []Via{TCP, WebSocket, SSE, NDJSON, Poll} {
		t.Run(string(via), func(t *testing.T) { f(t, via) })
	}
}

// A relay passes connections on until they are cut.
type relay struct {
	addr, to string

	mu sync.Mutex
	// Guarded by mu.
	conns map[net.Conn]struct{}
	shut  bool // nobody is let through
}

// newRelay has connections wrapped on the client's side unless wrap is nil.
func newRelay(t *testing.T, to string, wrap func(net.Listener) net.Listener) *relay {
	ln := listen(t)
	if wrap != nil {
		ln = wrap(ln)
	}
	r := &relay{addr: ln.Addr().String(), to: to, conns: make(map[net.Conn]struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			if r.add(near, far) {
				wg.Go(func() { r.pass(near, far) })
				wg.Go(func() { r.pass(far, near) })
			}
		}
	})
	t.Cleanup(func() {
		ln.Close()
		r.cut(true)
		wg.Wait()
	})
	return r
}

func (r *relay) add(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		if r.shut {
			c.Close()
		} else {
			r.conns[c] = struct{}{}
		}
	}
	return !r.shut
}

func (r *relay) pass(from, to net.Conn) {
	io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from}) // not by splice, whose pipes stay for a while
	from.Close()
	to.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, from)
}

// cut ends all connections without a goodbye, and those that come if it is shut.
func (r *relay) cut(shut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut = shut
	for c := range r.conns {
		if c, ok := c.(*net.TCPConn); ok {
			c.SetLinger(0) // a reset: what is on its way is lost
		}
		c.Close()
	}
	clear(r.conns)
}

// collector gathers what a subscription hears.
type collector struct {
	got  chan string
	gaps chan Gap
}

func collect() *collector {
	return &collector{got: make(chan string, 100_000), gaps: make(chan Gap, 100)}
}

func (k *collector) options(since string) *SubscribeOptions {
	return &SubscribeOptions{
		Since:   since,
		Message: func(m *Message) { k.got <- fmt.Sprintf("%s %v %s", m.Channel, m.Data.Type, m.Data.Bytes) },
		Gap:     func(g *Gap) { k.gaps <- *g },
	}
}

// want holds the next that is heard against what should be.
func (k *collector) want(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-k.got:
			if got != w {
				t.Fatalf("heard %q, want %q", got, w)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("heard nothing, want %q", w)
		}
	}
}
