package loop

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxTasks bounds the tasks that wait for a loop. At the bound Post says no,
// and the caller decides whether to drop, to wait or to try again. As slices
// of a full inbox, 2 MiB per loop are kept for reuse.
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
	unrun  atomic.Int64 // tasks in batch that had not run when the last turn ended

	mu     sync.Mutex
	queue  []Task
	closed bool

	// Owned by the loop.
	batch []Task // taken out of queue
	next  int    // the first of batch that has not run
	spare []Task // an emptied batch, for reuse
}

func (b *inbox) waiting() bool { return b.count.Load() != 0 || b.next < len(b.batch) }

func (b *inbox) put(t Task, bound int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.queue)+int(b.unrun.Load()) >= bound {
		return false
	}
	b.queue = append(b.queue, t)
	b.count.Store(int64(len(b.queue)))
	return true
}

// take returns the next task, or nil.
func (b *inbox) take() Task {
	if b.next == len(b.batch) {
		if b.count.Load() == 0 {
			return nil
		}
		b.recycle()
		b.mu.Lock()
		b.batch, b.queue = b.queue, b.spare
		b.count.Store(0)
		b.mu.Unlock()
		b.spare = nil
	}
	t := b.batch[b.next]
	b.batch[b.next] = nil
	b.next++
	return t
}

// recycle keeps the slice of a batch that has run.
func (b *inbox) recycle() {
	if cap(b.batch) <= maxTasks {
		b.spare = b.batch[:0]
	}
	b.batch, b.next = nil, 0
}

// settle ends the turn's share.
func (b *inbox) settle() {
	if left := int64(len(b.batch) - b.next); left != b.unrun.Load() {
		b.unrun.Store(left)
	}
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
