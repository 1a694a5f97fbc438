package loop

import (
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// A turn is bounded so that one busy socket, or one long fan-out, does not
// keep the others waiting. Each of its parts gives way after so much, or once
// the turn has taken so long, and goes on in the next turn, behind a look at
// the sockets.
const (
	turnEvents = 256
	turnSocks  = 256
	turnTasks  = 1024
	turnTime   = 2 * time.Millisecond

	// flushEvery is how many sockets may be owed something while others are still
	// being read. Writing them then keeps the peers busy and finds the answers in
	// the cache: with 2,000 connections a tenth less CPU per echo than writing
	// at the end of the turn, and as much as writing after each read.
	flushEvery = 16

	// clockStride is how many sockets or tasks pass between two looks at the
	// clock, and so what each part of a turn does in any case.
	clockStride = 16

	readBufBytes = 64 << 10 // the most that one socket brings in one turn
)

// A Loop is one goroutine and what it owns. Post may be called from any
// goroutine; the other methods only on the loop, that is from tasks, timers
// and handlers that run on it.
type Loop struct {
	// Immutable after New.
	group *Group
	index int
	wait  waiter
	start time.Time

	inbox inbox        // any goroutine
	socks atomic.Int64 // adopted for this loop and not closed; any goroutine

	// Owned by the loop's goroutine.
	now       time.Time // when this turn began
	table     table
	ready     []*Sock  // have more to read than their share of a turn
	dirty     []*Sock  // are owed bytes
	leaving   []leaver // move to another loop, or are released
	departing bool     // leaving was added to
	gone      []*Sock  // are closed and wait to be told so
	wheel     wheel
	bufs      bufPool
	rbuf      []byte
	iov       iovecs
	piece     []byte // where a layer's next piece is joined
	writes    uint64 // calls that hand bytes to a connection, for tests
	slow      slowTurns
	draining  chan<- struct{} // gets a value once the last socket is gone
	started   bool            // Go was called since the last sleep
	stopping  bool
}

// Now returns the time at which this turn began. On the loop only.
func (l *Loop) Now() time.Time { return l.now }

// Index returns the loop's place in its group, for tables kept per loop.
func (l *Loop) Index() int { return l.index }

func (l *Loop) run() {
	defer l.wait.close()
	for !l.stopping {
		l.sleep()
		l.now = time.Now()
		l.each(&l.ready, (*Sock).readReady) // first, so that what dispatch adds waits its turn
		l.wait.dispatch(l)
		l.runTasks()
		l.wheel.advance(l.now.Sub(l.start), l.now)
		l.each(&l.dirty, (*Sock).flushDirty)
		l.depart()
		l.buryGone()
		l.slow.note(time.Since(l.now), l.now, l.group.log)
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
	if len(l.ready) > 0 || len(l.dirty) > 0 || l.departing || l.inbox.waiting() {
		l.wait.poll()
		return
	}
	if l.started {
		// Handlers were given work in this turn. Most answer at once; letting them
		// run first spares going to sleep and being woken by the first of them.
		l.started = false
		runtime.Gosched()
		if l.inbox.waiting() {
			l.wait.poll()
			return
		}
	}
	var due time.Time
	if d, ok := l.wheel.next(); ok {
		due = l.start.Add(d)
	}
	l.wait.arm(due) // before asleep, so that a wake that follows asleep is not overwritten
	l.inbox.asleep.Store(true)
	if l.inbox.waiting() {
		l.wait.poll()
	} else {
		l.wait.sleep()
	}
	l.inbox.asleep.Store(false)
}

// each hands the sockets of a list to f, as many as a turn allows. Those that
// enter the list meanwhile wait for the next turn, so that a socket gets one
// read and one write of each.
func (l *Loop) each(list *[]*Sock, f func(*Sock)) {
	n, end := 0, min(len(*list), turnSocks)
	for n < end && !l.late(n) {
		s := (*list)[n]
		n++
		if s != nil {
			f(s)
		}
	}
	*list = slices.Delete(*list, 0, n)
}

// late reports whether a part of the turn that has done n pieces of its work
// must give way.
func (l *Loop) late(n int) bool {
	return n > 0 && n%clockStride == 0 && time.Since(l.now) > turnTime
}

// runTasks runs what was posted. It gives way to writing when as many sockets
// are owed something as a turn writes: what is posted meanwhile for those whose
// task still waits goes along with it.
func (l *Loop) runTasks() {
	for n := 0; n < turnTasks && !l.late(n) && (n < clockStride || len(l.dirty) < turnSocks); n++ {
		t := l.inbox.take()
		if t == nil {
			break
		}
		t.Run(l.now)
	}
	l.inbox.settle()
}

// buryGone tells handlers that their sockets are closed. It runs by itself in
// the turn, so that no handler hears Closed from inside another of its calls.
func (l *Loop) buryGone() {
	for i := 0; i < len(l.gone); i++ { // Closed may close others
		s := l.gone[i]
		h := s.h
		s.h = nobody{}
		h.Closed(l.now, s.ext.err)
	}
	clear(l.gone)
	l.gone = l.gone[:0]
}

// A Leaver is a [Handler] that is asked for its last words before [Group.Close]
// closes its socket. It may close the socket itself; it gets no longer for that.
type Leaver interface {
	Leave(now time.Time)
}

// drain closes every socket and reports when the last one is gone.
func (l *Loop) drain(linger time.Duration, emptied chan<- struct{}) {
	l.table.closed = true
	l.draining = emptied
	for s := range l.table.all() {
		if h, ok := s.h.(Leaver); ok && linger > 0 && s.flags&(fClosing|fLeaving) == 0 {
			h.Leave(l.now)
			if s.flags&(fClosing|fGone) == fClosing {
				l.After(linger, &s.ext.linger)
			}
		}
		s.Close(ErrShutdown, linger)
	}
}

// end cuts what is left, and runs the tasks that were posted before the inbox
// closed, so that nobody waits for a task that never runs.
func (l *Loop) end() {
	l.table.closed = true
	l.group.cut.Add(int64(l.table.live))
	for s := range l.table.all() {
		s.cut(ErrShutdown)
	}
	for tasks := l.inbox.shut(); ; tasks = l.inbox.shut() {
		for _, t := range tasks {
			t.Run(l.now)
		}
		l.depart()
		l.buryGone()
		if len(tasks) == 0 && !l.departing {
			return
		}
	}
}

// slowTurns tells of handlers that block their loop, in at most one line per
// loop and slowTurnEvery.
type slowTurns struct {
	told  time.Time
	count int // since told
	worst time.Duration
}

const (
	slowTurn      = 100 * time.Millisecond
	slowTurnEvery = 10 * time.Second
)

func (w *slowTurns) note(took time.Duration, now time.Time, log *slog.Logger) {
	if took <= slowTurn {
		return
	}
	w.count++
	w.worst = max(w.worst, took)
	if !w.told.IsZero() && now.Sub(w.told) < slowTurnEvery {
		return
	}
	log.Warn("loop: a turn took too long; a handler that runs on the loop must not block",
		slog.Duration("took", w.worst), slog.Int("turns", w.count))
	*w = slowTurns{told: now}
}
