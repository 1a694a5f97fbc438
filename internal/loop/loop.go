// Package loop is the engine room: event loops that own sockets.
//
// A [Group] is a fixed number of loops, by default one per core. Each [Loop]
// is one goroutine, and everything about a [Sock] — its buffers, its handler,
// its timers — belongs to the loop the socket lives on. So nothing on the hot
// path takes a lock; whoever else wants something of a socket posts a task to
// its loop.
//
// A turn of a loop polls its sockets, hands what they brought to their
// handlers, runs the tasks that were posted, fires the timers that are due
// and then writes each socket that is owed something, once. So under load
// messages share system calls, and at rest nothing waits.
//
// Beneath a loop lies a poller: Linux epoll, or a goroutine per connection
// ([Goroutines]) anywhere else and in virtual time. Both keep the same
// contract, and run the same tests.
//
// The package knows bytes. It knows nothing of messages, links or sessions.
package loop

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Errors that end a socket or refuse a call.
var (
	// ErrShutdown ends the sockets of a group that was closed.
	ErrShutdown = errors.New("loop: the engine is shutting down")
	// ErrClosed ends a socket whose owner closed it without a reason of its own.
	ErrClosed = errors.New("loop: closed by its owner")
	// ErrFlooded ends a socket whose peer makes TLS answer faster than it reads the answers.
	ErrFlooded = errors.New("loop: the peer provokes answers that it does not read")
)

// A Poller is the way a loop learns that a socket is ready.
type Poller int

// The pollers. Auto is Epoll on Linux and Goroutines elsewhere.
const (
	Auto       Poller = iota
	Epoll             // Linux epoll, edge-triggered, parked in Go's own netpoller
	Goroutines        // a goroutine per connection: any platform, and virtual time
)

// Options configure a [Group]. Nil means all defaults.
type Options struct {
	Loops  int          // number of loops; zero means GOMAXPROCS
	Poller Poller       // zero means Auto
	Log    *slog.Logger // hears of turns over 100 ms; nil means slog.Default()
}

// A Group is the set of loops that a process serves its connections on.
// Its methods may be called from any goroutine.
type Group struct {
	loops []*Loop
	wg    sync.WaitGroup // loops, pump goroutines and Release's; Close waits for them
	crew  crew
	log   *slog.Logger

	mu     sync.Mutex
	onEnd  map[int]func() // guarded by mu
	nextID int            // guarded by mu

	closing  sync.Once
	closeErr error
	cut      atomic.Int64 // sockets that were open when their loop ended
}

// New starts a group. Close ends it.
func New(o *Options) (*Group, error) {
	if o == nil {
		o = &Options{}
	}
	n := o.Loops
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	g := &Group{log: o.Log}
	if g.log == nil {
		g.log = slog.Default()
	}
	for i := range n {
		w, err := newWaiter(o.Poller)
		if err != nil {
			g.stop()
			return nil, err
		}
		l := &Loop{group: g, wait: w, index: i, start: time.Now(), rbuf: make([]byte, readBufBytes)}
		l.now = l.start
		g.loops = append(g.loops, l)
		g.wg.Go(l.run)
	}
	return g, nil
}

// Loops returns the loops of the group, always the same ones.
func (g *Group) Loops() []*Loop { return g.loops }

// Least returns the loop with the fewest sockets: where a new one belongs.
func (g *Group) Least() *Loop {
	best := g.loops[0]
	for _, l := range g.loops[1:] {
		if l.socks.Load() < best.socks.Load() {
			best = l
		}
	}
	return best
}

// Socks returns the number of sockets that were adopted and not yet closed.
func (g *Group) Socks() int {
	n := 0
	for _, l := range g.loops {
		n += int(l.socks.Load())
	}
	return n
}

// Close closes every socket as [Sock.Close] does with a linger of one second,
// or of what is left until ctx's deadline if that is less, after asking those
// handlers that are a [Leaver] for their last words; cuts what is still
// open when ctx ends; and returns when every loop has ended and every handler
// was told. It returns the context's cause only if it had to cut. Closing again
// waits for the first and returns what it did. It must not be called on a loop.
func (g *Group) Close(ctx context.Context) error {
	g.closing.Do(func() { g.closeErr = g.close(ctx) })
	return g.closeErr
}

// OnClose has f called when Close begins, before any socket is closed: for
// what lives on the loops without a socket. What f posts runs before the
// sockets are closed. remove takes f back.
func (g *Group) OnClose(f func()) (remove func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.onEnd == nil {
		g.onEnd = map[int]func(){}
	}
	id := g.nextID
	g.nextID++
	g.onEnd[id] = f
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.onEnd, id)
	}
}

func (g *Group) tellClose() {
	g.mu.Lock()
	all := slices.Collect(maps.Values(g.onEnd))
	g.onEnd = nil
	g.mu.Unlock()
	for _, f := range all {
		f()
	}
}

func (g *Group) close(ctx context.Context) error {
	g.tellClose()
	linger := time.Second
	if d, ok := ctx.Deadline(); ok {
		linger = max(0, min(linger, time.Until(d)))
	}
	emptied := make(chan struct{}, len(g.loops))
	for _, l := range g.loops {
		l.must(taskFunc(func(time.Time) { l.drain(linger, emptied) }))
	}
wait:
	for range g.loops {
		select {
		case <-emptied:
		case <-ctx.Done():
			break wait
		}
	}
	g.stop()
	if g.cut.Load() > 0 {
		return context.Cause(ctx)
	}
	return nil
}

func (g *Group) stop() {
	g.crew.end()
	for _, l := range g.loops {
		l.must(taskFunc(func(time.Time) { l.stopping = true }))
	}
	g.wg.Wait()
	g.crew.wait()
}
