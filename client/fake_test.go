package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/wire"
)

// A fakeWay is a way in memory, with the test for a server: what is decided about
// sessions, positions and requests is tested with it in virtual time.
type fakeWay struct {
	links  chan *fakeLink // those that were opened
	began  time.Time
	limits wire.Limits

	mu sync.Mutex
	// Guarded by mu.
	refusal error           // what open returns, if not nil
	hello   []string        // further frames behind `connected`
	opened  []time.Duration // when, since the beginning
	closed  bool            // close was called
}

// A fakeLink is one link. The server's end are its channels.
type fakeLink struct {
	g    *greeting
	down chan string   // frames of the server
	up   chan string   // frames of the client
	cut  chan struct{} // closed when the link is
	once sync.Once
	why  error // guarded by cut
}

func (w *fakeWay) open(_ context.Context, g *greeting) (link, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened = append(w.opened, time.Since(w.began))
	if w.refusal != nil {
		return nil, w.refusal
	}
	l := &fakeLink{g: g, down: make(chan string, 100), up: make(chan string, 5000), cut: make(chan struct{})}
	c := wire.Connected{ID: g.id, Session: "S", Secret: "X", Position: "p0", Limits: w.limits}
	var connect struct{ Subscribe []wire.Want }
	if err := json.Unmarshal(g.frame, &connect); err == nil {
		for _, s := range connect.Subscribe {
			c.Subscriptions = append(c.Subscriptions, wire.Subscribed{Channel: s.Channel, Position: s.Since})
		}
	}
	l.down <- string(wire.AppendConnected(nil, &c))
	for _, f := range w.hello {
		l.down <- f
	}
	w.links <- l
	return l, nil
}

func (w *fakeWay) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// refuse has further attempts fail.
func (w *fakeWay) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusal = err
}

// attempts returns when links were opened, or tried to be.
func (w *fakeWay) attempts() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.opened)
}

func (l *fakeLink) send(frames [][]byte) error {
	for _, f := range frames {
		select {
		case l.up <- string(f):
		case <-l.cut:
			return io.ErrClosedPipe
		}
	}
	return nil
}

func (l *fakeLink) receive() ([]byte, error) {
	select {
	case f := <-l.down:
		return []byte(f), nil
	default:
	}
	select {
	case f := <-l.down:
		return []byte(f), nil
	case <-l.cut:
		return nil, l.why
	}
}

func (l *fakeLink) bye() { l.up <- "bye" }

func (l *fakeLink) close() { l.end(io.EOF) }

// end is what the test does to a link; nil is a cut.
func (l *fakeLink) end(why error) {
	l.once.Do(func() {
		l.why = why
		if why == nil {
			l.why = io.EOF
		}
		close(l.cut)
	})
}

// A bench is a client with its fake way.
type bench struct {
	*Client
	t    *testing.T
	way  *fakeWay
	link *fakeLink // the last one that was opened
	log  []string  // what the client's hooks were told
}

// onBench runs a test in virtual time, with a client that is connected.
func onBench(t *testing.T, via Via, f func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, way: &fakeWay{
			links: make(chan *fakeLink, 10), began: time.Now(),
			limits: wire.Limits{Message: 1 << 20, KeyWindow: 2 * time.Minute},
		}}
		c, err := dial(t.Context(), b.way, via, &Options{
			Token: "T",
			Lost:  func(err error, wait time.Duration) { b.note("lost") },
			Back:  func() { b.note("back") },
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Client = c
		b.link = <-b.way.links
		f(b)
		c.Close()
		if !b.way.closed {
			t.Error("the way was not closed")
		}
	})
}

func (b *bench) note(format string, args ...any) { b.log = append(b.log, fmt.Sprintf(format, args...)) }

// heard holds the client's log against want, and forgets it.
func (b *bench) heard(want ...string) {
	b.t.Helper()
	synctest.Wait()
	if !slices.Equal(b.log, want) {
		b.t.Errorf("hooks heard %q, want %q", b.log, want)
	}
	b.log = nil
}

// say has the server say something.
func (b *bench) say(frames ...string) {
	for _, f := range frames {
		b.link.down <- f
	}
	synctest.Wait()
}

// sent returns what the client has sent, without ids.
func (b *bench) sent(want ...string) {
	b.t.Helper()
	synctest.Wait()
	var got []string
	for len(b.link.up) > 0 {
		got = append(got, <-b.link.up)
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// comesBack cuts the link and waits for the next.
func (b *bench) comesBack(why error) {
	b.link.end(why)
	b.link = <-b.way.links
	synctest.Wait()
}

// subscribe subscribes, with hooks that write the log.
func (b *bench) subscribe(name, since string) *Subscription {
	b.t.Helper()
	var s *Subscription
	var err error
	var wg sync.WaitGroup
	wg.Go(func() {
		s, err = b.Subscribe(b.t.Context(), name, &SubscribeOptions{
			Since:   since,
			Message: func(m *Message) { b.note("%s %s %s", m.Channel, m.Position, m.Data.Bytes) },
			Gap:     func(g *Gap) { b.note("gap %s %s %s", g.Channel, g.After, g.Position) },
			End:     func(err error) { b.note("end %s %s", name, wire.CodeOf(err)) },
		})
	})
	synctest.Wait()
	if b.via != SSE {
		var f struct{ ID uint64 }
		if err := json.Unmarshal([]byte(<-b.link.up), &f); err != nil {
			b.t.Fatal(err)
		}
		b.say(fmt.Sprintf(`{"op":"reply","id":%d,"channel":"%s","position":"p1"}`, f.ID, name))
	}
	wg.Wait()
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func message(channel, position, data string) string {
	return fmt.Sprintf(`{"op":"message","channel":"%s","position":"%s","data":%s,"time":"2026-11-22T12:00:00.000Z"}`, channel, position, data)
}
