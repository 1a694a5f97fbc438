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
	"runtime"
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

const (
	// A turn is bounded so that one busy socket, or one long fan-out, does not
	// keep the others waiting.
	turnWrites = 256
	turnTasks  = 1024
	turnTime   = 2 * time.Millisecond

	readBufBytes = 64 << 10 // the most that one socket brings in one turn
	slowTurn     = 100 * time.Millisecond
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
	wg    sync.WaitGroup // loops and pump goroutines; Close waits for them
	log   *slog.Logger
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
	for range n {
		w, err := newWaiter(o.Poller)
		if err != nil {
			g.stop()
			return nil, err
		}
		l := &Loop{group: g, wait: w, start: time.Now(), rbuf: make([]byte, readBufBytes)}
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

// Socks returns the number of open sockets.
func (g *Group) Socks() int {
	n := 0
	for _, l := range g.loops {
		n += int(l.socks.Load())
	}
	return n
}

// Close closes every socket, gives them until ctx ends to flush what they are
// owed, cuts the rest, and returns when every loop has ended. It returns the
// context's error if sockets had to be cut.
func (g *Group) Close(ctx context.Context) error {
	linger := time.Second
	if d, ok := ctx.Deadline(); ok {
		linger = max(0, min(linger, time.Until(d)))
	}
	emptied := make(chan struct{}, len(g.loops))
	for _, l := range g.loops {
		l.must(taskFunc(func(time.Time) { l.drain(linger, emptied) }))
	}
	var err error
	for range g.loops {
		select {
		case <-emptied:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			break
		}
	}
	g.stop()
	return err
}

func (g *Group) stop() {
	for _, l := range g.loops {
		l.must(taskFunc(func(time.Time) { l.stopping = true }))
	}
	g.wg.Wait()
}

// A Loop is one goroutine and what it owns. Post may be called from any
// goroutine; the other methods only on the loop, that is from tasks, timers
// and handlers that run on it.
type Loop struct {
	group *Group
	wait  waiter // set at start
	inbox inbox  // any goroutine
	socks atomic.Int64

	// Owned by the loop's goroutine.
	start    time.Time
	now      time.Time // when this turn began
	table    table
	ready    []*Sock // have more to read than their share of a turn
	reading  []*Sock // the ready ones of this turn
	dirty    []*Sock // are owed bytes
	gone     []*Sock // are closed and wait to be told so
	wheel    wheel
	bufs     bufPool
	rbuf     []byte
	iov      iovecs
	piece    []byte          // where a layer's next piece is joined
	draining chan<- struct{} // gets a value once the last socket is gone
	stopping bool
}

// Now returns the time at which this turn began. On the loop only.
func (l *Loop) Now() time.Time { return l.now }

// Index returns the loop's place in its group, for tables kept per loop.
func (l *Loop) Index() int {
	for i, o := range l.group.loops {
		if o == l {
			return i
		}
	}
	return -1
}

func (l *Loop) run() {
	defer l.wait.close()
	for !l.stopping {
		l.sleep()
		l.now = time.Now()
		l.wait.dispatch(l)
		l.readReady()
		l.runTasks()
		l.wheel.advance(l.now.Sub(l.start), l.now)
		l.flushDirty()
		l.buryGone()
		if d := time.Since(l.now); d > slowTurn {
			l.group.log.Warn("loop: a turn took too long; a handler that runs on the loop must not block",
				slog.Duration("took", d))
		}
		if l.draining != nil && l.table.live == 0 {
			l.draining <- struct{}{}
			l.draining = nil
		}
	}
	l.end()
}

// sleep waits until something happened, unless there is work at hand; then it
// only looks.
func (l *Loop) sleep() {
	if len(l.ready) > 0 || len(l.dirty) > 0 || len(l.gone) > 0 || l.inbox.waiting() {
		l.wait.poll()
		return
	}
	var due time.Time
	if d, ok := l.wheel.next(); ok {
		due = l.start.Add(d)
	}
	l.inbox.asleep.Store(true)
	if l.inbox.waiting() {
		l.inbox.asleep.Store(false)
		l.wait.poll()
		return
	}
	l.wait.sleep(due)
	l.inbox.asleep.Store(false)
}

func (l *Loop) readReady() {
	l.ready, l.reading = l.reading[:0], l.ready
	for i, s := range l.reading {
		l.reading[i] = nil
		if s != nil {
			s.flags &^= fQueued
			s.read()
		}
	}
}

// runTasks runs what was posted, at most turnTasks of it, so that tasks that
// post tasks do not starve the sockets.
func (l *Loop) runTasks() {
	for _, t := range l.inbox.take(turnTasks) {
		t.Run(l.now)
	}
	l.inbox.done()
}

// flushDirty writes the sockets that are owed something. What does not fit
// the turn stays for the next one, behind a look at the sockets.
func (l *Loop) flushDirty() {
	n := 0
	for n < len(l.dirty) {
		s := l.dirty[n]
		l.dirty[n] = nil
		n++
		if s != nil {
			s.flags &^= fDirty
			s.flush()
		}
		if n%turnWrites == 0 || n%16 == 0 && time.Since(l.now) > turnTime {
			break
		}
	}
	if n == len(l.dirty) {
		l.dirty = l.dirty[:0]
		return
	}
	l.dirty = l.dirty[:copy(l.dirty, l.dirty[n:])]
}

// buryGone tells handlers that their sockets are closed. It runs by itself in
// the turn, so that no handler hears Closed from inside another of its calls.
func (l *Loop) buryGone() {
	for len(l.gone) > 0 {
		batch := l.gone
		l.gone = nil
		for _, s := range batch {
			s.bury()
		}
	}
}

// drain closes every socket and reports when the last one is gone.
func (l *Loop) drain(linger time.Duration, emptied chan<- struct{}) {
	l.table.closed = true
	l.draining = emptied
	for s := range l.table.all() {
		s.Close(ErrShutdown, linger)
	}
}

// end cuts what is left, and runs the tasks that were posted before the inbox
// closed, so that nobody waits for a task that never runs.
func (l *Loop) end() {
	l.table.closed = true
	for s := range l.table.all() {
		s.cut(ErrShutdown)
	}
	l.buryGone()
	for tasks := l.inbox.shut(); len(tasks) > 0; tasks = l.inbox.shut() {
		for _, t := range tasks {
			t.Run(l.now)
		}
		l.buryGone()
	}
}
