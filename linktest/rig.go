package linktest

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

var quiet = slog.New(slog.DiscardHandler)

// handlers are what a behaviour does at the plain door. Nil does nothing.
type handlers struct {
	open    func(c *longwire.Conn) error
	message func(c *longwire.Conn, kind longwire.Kind, p []byte)
	close   func(c *longwire.Conn, err error)

	asTheyCome bool // without boundaries: hear what arrives, not lines of it
	halfOpen   bool
	max        int
	forget     time.Duration
	engine     *longwire.Engine // nil: the suite's
}

// A rig is a way that serves, with a witness at its door. It sees to it that
// the calls for each connection are in order and one at a time, and that those
// that were opened are closed by the end of the test.
type rig struct {
	t    *testing.T
	s    *suite
	dial func() (Client, error)
	h    handlers
	news chan *life // those that Open took

	mu    sync.Mutex
	lives []*life
}

// A life is one connection as the witness sees it.
type life struct {
	*longwire.Conn
	rig    *rig
	inside atomic.Bool // a handler is at work
	opened atomic.Bool // Open took it
	over   atomic.Bool
	line   []byte // what came of a line, without boundaries
	ended  chan struct{}
	end    *longwire.Close // valid once ended is closed
}

func (s *suite) serve(t *testing.T, h handlers) *rig {
	t.Helper()
	r := &rig{t: t, s: s, h: h, news: make(chan *life, 1024)}
	if r.h.engine == nil {
		r.h.engine = s.engine
	}
	r.dial = s.Serve(t, Options{Engine: r.h.engine, MaxMessage: h.max, Forget: h.forget, Acceptor: &longwire.Plain{
		Open: r.open, Message: r.message, Close: r.close, OnLoop: s.onLoop, HalfOpen: h.halfOpen, Log: quiet,
	}})
	t.Cleanup(r.finish)
	return r
}

func (r *rig) open(c *longwire.Conn) error {
	l := &life{Conn: c, rig: r, ended: make(chan struct{})}
	if c.Tag != nil {
		r.t.Error("Open was called twice for one connection")
	}
	c.Tag = l
	l.enter("Open")
	defer l.leave()
	if r.h.open != nil {
		if err := r.h.open(c); err != nil {
			return err
		}
	}
	l.opened.Store(true)
	r.mu.Lock()
	r.lives = append(r.lives, l)
	r.mu.Unlock()
	r.news <- l
	return nil
}

func (r *rig) message(c *longwire.Conn, kind longwire.Kind, p []byte) {
	l, ok := c.Tag.(*life)
	if !ok {
		r.t.Error("Message was called before Open")
		return
	}
	l.enter("Message")
	defer l.leave()
	if !l.opened.Load() {
		r.t.Error("Message was called for a connection that Open refused")
	}
	if r.h.message == nil {
		return
	}
	defer scribble(p)
	if !r.s.NoBoundaries || r.h.asTheyCome {
		r.h.message(c, kind, p)
		return
	}
	l.line = append(l.line, p...)
	for {
		m, rest, ok := bytes.Cut(l.line, lf)
		if !ok {
			return
		}
		l.line = rest
		r.h.message(c, kind, m)
	}
}

// scribble shows whoever has kept bytes that were not his.
func scribble(p []byte) {
	for i := range p {
		p[i] = 0xff
	}
}

func (r *rig) close(c *longwire.Conn, err error) {
	l, ok := c.Tag.(*life)
	if !ok || !l.opened.Load() {
		r.t.Error("Close was called for a connection that was not opened")
		return
	}
	l.enter("Close")
	defer l.leave()
	if !l.over.CompareAndSwap(false, true) {
		r.t.Error("Close was called twice")
		return
	}
	if l.end, ok = err.(*longwire.Close); !ok {
		r.t.Errorf("Close was called with a %T, want a *Close", err)
		l.end = &longwire.Close{}
	}
	defer close(l.ended)
	if r.h.close != nil {
		r.h.close(c, err)
	}
}

func (l *life) enter(what string) {
	if !l.inside.CompareAndSwap(false, true) {
		l.rig.t.Errorf("%s was called while another handler of the connection was at work", what)
	}
	if l.over.Load() {
		l.rig.t.Errorf("%s was called after Close", what)
	}
}

func (l *life) leave() { l.inside.Store(false) }

// finish closes what is open and waits for the end of all.
func (r *rig) finish() {
	r.mu.Lock()
	lives := r.lives
	r.mu.Unlock()
	for _, l := range lives {
		l.Close(wire.CodeNormal, "the test is over")
	}
	for _, l := range lives {
		l.wait()
	}
}

// wait returns how the connection ended.
func (l *life) wait() longwire.Close {
	l.rig.t.Helper()
	select {
	case <-l.ended:
		return *l.end
	case <-time.After(patience):
		l.rig.t.Error("the Close handler was not called")
		return longwire.Close{}
	}
}

// wantEnd waits for the connection's end and says what it should be.
func (l *life) wantEnd(code wire.Code, remote bool) {
	l.rig.t.Helper()
	if end := l.wait(); codeOf(&end) != code || end.Remote != remote && code != wire.CodeLost {
		l.rig.t.Errorf("the Close handler heard %v, want code %s, remote %v", &end, code, remote)
	}
}

func codeOf(c *longwire.Close) wire.Code {
	if c.Code == "" {
		return wire.CodeNormal
	}
	return c.Code
}

// connect dials and returns both ends.
func (r *rig) connect() (*peer, *life) {
	r.t.Helper()
	p := r.connectOnly()
	return p, await(r.t, r.news, "Open")
}

// connectOnly is for connections that Open will not take.
func (r *rig) connectOnly() *peer {
	r.t.Helper()
	c, err := r.dial()
	if err != nil {
		r.t.Fatalf("connecting: %v", err)
	}
	p := &peer{Client: c, t: r.t, s: r.s}
	r.t.Cleanup(c.Cut)
	return p
}

// await receives from c, or ends the test.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

var lf = []byte{'\n'}

// out is p as it is to be sent: on a way without boundaries the suite ends its
// messages with line feeds.
func (s *suite) out(p []byte) []byte {
	if s.NoBoundaries {
		return append(p[:len(p):len(p)], '\n')
	}
	return p
}

// A peer is a client that fails its test. Its methods are for the test's own
// goroutine, those that return errors for others too.
type peer struct {
	Client
	t    *testing.T
	s    *suite
	line []byte
}

func (p *peer) send(kind longwire.Kind, b []byte) error { return p.Send(kind, p.s.out(b)) }

func (p *peer) say(b string) {
	p.t.Helper()
	if err := p.send(p.s.Kinds[0], p.s.word(b)); err != nil {
		p.t.Fatalf("sending: %v", err)
	}
}

var errLate = errors.New("linktest: nothing came")

// receive is Receive with an end to patience.
func (p *peer) receive() (longwire.Kind, []byte, error) {
	var late atomic.Bool
	watch := time.AfterFunc(patience, func() { late.Store(true); p.Cut() })
	defer watch.Stop()
	for {
		if p.s.NoBoundaries {
			if m, rest, ok := bytes.Cut(p.line, lf); ok {
				p.line = rest
				return p.s.Kinds[0], m, nil
			}
		}
		kind, b, err := p.Receive()
		switch {
		case late.Load():
			return 0, nil, errLate
		case err != nil || !p.s.NoBoundaries:
			return kind, b, err
		}
		p.line = append(p.line, b...)
	}
}

func (p *peer) wantMessage(kind longwire.Kind, want []byte) {
	p.t.Helper()
	if err := p.expect(kind, want); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) wantWord(want string) { p.t.Helper(); p.wantMessage(p.s.Kinds[0], p.s.word(want)) }

// wantEnd reads the end of the link, and nothing before it.
func (p *peer) wantEnd(code wire.Code, reason string) {
	p.t.Helper()
	_, b, err := p.receive()
	if err == nil {
		p.t.Fatalf("received %.80q, want the end", b)
	}
	p.wantEndErr(err, code, reason)
}

func (p *peer) wantEndErr(err error, code wire.Code, reason string) {
	p.t.Helper()
	c, told := errors.AsType[*longwire.Close](err)
	switch {
	case !p.s.Codes:
		if err != io.EOF {
			p.t.Errorf("the client heard %v, want the end", err)
		}
	case !told:
		p.t.Errorf("the client heard %v, want code %s", err, code)
	case codeOf(c) != code || p.s.Reasons && reason != "" && c.Reason != reason:
		p.t.Errorf("the client heard %s %q, want %s %q", c.Code, c.Reason, code, reason)
	}
}
