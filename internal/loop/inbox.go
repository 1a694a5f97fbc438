package loop

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxTasks bounds the tasks that wait for a loop. At the bound Post says no,
// and the caller decides whether to drop, to wait or to try again.
const maxTasks = 64 << 10

// A Task is work for a loop that owns its own memory, so that posting it
// allocates nothing.
type Task interface {
	Run(now time.Time)
}

type taskFunc func(now time.Time)

func (f taskFunc) Run(now time.Time) { f(now) }

// Post asks the loop to run f, after all that was posted before. It never
// waits. It returns false, and f will not run, when 65,536 tasks wait already
// or after the loop has ended.
func (l *Loop) Post(f func(now time.Time)) bool { return l.post(taskFunc(f), maxTasks) }

// PostTask is Post for a task that its owner posts at most once at a time:
// the number of owners bounds it, so only a loop that has ended refuses it.
func (l *Loop) PostTask(t Task) bool { return l.must(t) }

// must posts work that the engine itself bounds and may not drop.
func (l *Loop) must(t Task) bool { return l.post(t, int(^uint(0)>>1)) }

func (l *Loop) post(t Task, bound int) bool {
	if !l.inbox.put(t, bound) {
		return false
	}
	if l.inbox.asleep.Load() && l.inbox.asleep.CompareAndSwap(true, false) {
		l.wait.wake()
	}
	return true
}

// An inbox is the tasks that wait for a loop. One wake-up serves however many
// of them there are.
type inbox struct {
	asleep atomic.Bool  // the loop sleeps or is about to: whoever posts wakes it
	count  atomic.Int64 // tasks in queue

	mu     sync.Mutex
	queue  []Task
	closed bool

	// Owned by the loop.
	batch []Task // taken out of queue and not yet run
	next  int
	spare []Task
}

func (b *inbox) waiting() bool { return b.count.Load() != 0 || b.next < len(b.batch) }

func (b *inbox) put(t Task, bound int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.queue) >= bound {
		return false
	}
	b.queue = append(b.queue, t)
	b.count.Store(int64(len(b.queue)))
	return true
}

// take returns up to n tasks to be run before the next call of done.
func (b *inbox) take(n int) []Task {
	if b.next == len(b.batch) && b.count.Load() != 0 {
		b.mu.Lock()
		b.batch, b.queue, b.spare = b.queue, b.spare, nil
		b.count.Store(0)
		b.mu.Unlock()
		b.next = 0
	}
	end := min(b.next+n, len(b.batch))
	some := b.batch[b.next:end]
	b.next = end
	return some
}

// done forgets the tasks that have run, and keeps their slice for reuse.
func (b *inbox) done() {
	if b.next < len(b.batch) || b.next == 0 {
		return
	}
	clear(b.batch)
	if cap(b.batch) <= maxTasks {
		b.mu.Lock()
		if cap(b.queue) == 0 {
			b.queue = b.batch[:0]
		} else {
			b.spare = b.batch[:0]
		}
		b.mu.Unlock()
	}
	b.batch, b.next = nil, 0
}

// shut refuses further tasks and returns those that still wait.
func (b *inbox) shut() []Task {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := append(b.batch[b.next:len(b.batch):len(b.batch)], b.queue...)
	b.batch, b.next, b.queue = nil, 0, nil
	b.count.Store(0)
	b.closed = true
	return left
}
