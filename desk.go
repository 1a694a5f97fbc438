package longwire

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// A desk is where history is asked for what the recent window does not have. A few
// goroutines answer, so that a thousand sessions that come back at once are a queue and
// not a thousand reads. All who ask the same while it is not answered share one
// answer, because whoever lost the same server stands at the same place; and where many
// ask who stand near one another, one read is for all of them.
type desk struct {
	// Immutable.
	ctx  context.Context // the node's
	many int             // from so many on they are answered together

	reads atomic.Int64 // that were begun

	mu sync.Mutex
	// Guarded by mu.
	open   map[string]*inquiry // that are not answered, by what is asked
	queues map[kind]*queue     // of those that nobody works on; none is empty unless it is busy
	asked  uint64              // inquiries that were queued
	busy   int                 // goroutines
}

// A queue is what waits of one kind, the oldest first.
type queue struct {
	list []*inquiry
	busy bool   // many of this kind are being answered together, and others wait to go with the next
	back func() // not nil: called when one is put, for those who are expected to ask on
}

const (
	// deskReads is how many goroutines answer. A broker on the same machine is busy with
	// fewer; one in a network hides its distance behind them.
	deskReads = 16

	// groupMost bounds what a group holds on to.
	groupMost = 1 << 14
	// nearby is how far the next of a group may stand behind the one before it: twice as far as one
	// read goes, so that who was too late for one is not left behind for good.
	nearby = 2 * togetherMost
	// askAgain is how long others of a kind wait after many were answered together for these to ask on. They
	// do so as soon as their sockets are written, and then one read is again for all of them and not for the first.
	askAgain = time.Second / 2
)

// A question is what is asked.
type question interface {
	// alone answers it.
	alone(ctx context.Context) any
	// joins returns what others that can be answered together with it return, too, and where
	// its asker stands; zero if it has to be answered alone.
	joins() (k kind, number uint64)
	// together answers several, each by answer, once or not at all: then it has to be
	// answered alone. It returns how many of those who are answered will ask on.
	together(ctx context.Context, all []*inquiry, answer func(q *inquiry, a any)) (again int)
}

// A kind is of questions that can be answered together.
type kind struct {
	what string
	part int
}

// An inquiry is one thing that is asked. Whoever asks is told the answer, also if it
// left meanwhile; when all have left the answer need not be good.
type inquiry struct {
	// Immutable.
	key string
	question
	loop *loop.Loop
	ctx  context.Context
	stop context.CancelFunc

	// Guarded by the desk's mu.
	kind   kind // the zero kind if it has to be answered alone
	number uint64
	turn   uint64 // when it was queued
	tell   []func(answer any)
	stay   int // of those who asked
}

// ask asks, and has tell called with the answer, from another goroutine. Leave says, any
// number of times, that it is of no use any more. Loop lends the goroutine.
func (d *desk) ask(l *loop.Loop, key string, what question, tell func(answer any)) (leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.open[key]
	if q == nil || q.stay == 0 { // an answer that nobody waits for may be none
		q = &inquiry{key: key, question: what, loop: l}
		q.ctx, q.stop = context.WithCancel(d.ctx)
		if d.open == nil {
			d.open, d.queues = map[string]*inquiry{}, map[kind]*queue{}
		}
		d.open[key] = q
		q.kind, q.number = what.joins()
		d.put(q)
		if d.more() {
			l.Go(d)
		}
	}
	q.tell = append(q.tell, tell)
	q.stay++
	return sync.OnceFunc(func() { d.leave(q) })
}

// put queues an inquiry. With mu held.
func (d *desk) put(q *inquiry) {
	o := d.queues[q.kind]
	if o == nil {
		o = &queue{}
		d.queues[q.kind] = o
	}
	d.asked++
	q.turn = d.asked
	o.list = append(o.list, q)
	if o.back != nil {
		o.back()
	}
}

// more reports whether a goroutine more is to answer, and counts it. With mu held.
func (d *desk) more() bool {
	if d.busy == deskReads {
		return false
	}
	d.busy++
	return true
}

func (d *desk) leave(q *inquiry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if q.stay--; q.stay == 0 {
		q.stop()
	}
}

// Work answers until nothing is asked.
func (d *desk) Work() {
	for group := d.next(); group != nil; group = d.next() {
		d.reads.Add(1)
		if q := group[0]; len(group) == 1 {
			d.answer(q, q.alone(q.ctx))
		} else {
			d.together(group)
		}
	}
}

// together answers many who stand near one another, and queues again those who have to be answered alone.
func (d *desk) together(group []*inquiry) {
	answered := make(map[*inquiry]bool, len(group))
	again := group[0].together(d.ctx, group, func(q *inquiry, a any) {
		answered[q] = true
		d.answer(q, a)
	})
	k := group[0].kind
	d.gather(k, again*9/10)
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := slices.Clone(d.queues[k].list) // nobody was called for them
	d.queues[k].busy = false
	d.drop(k)
	for _, q := range group {
		if !answered[q] {
			q.kind = kind{}
			d.put(q)
			waiting = append(waiting, q)
		}
	}
	for i := 0; i < len(waiting) && d.more(); i++ {
		l := waiting[i].loop
		l.PostTask(effect(func(time.Time) { l.Go(d) }))
	}
}

// gather waits a little for so many more to wait of a kind that is busy.
func (d *desk) gather(k kind, more int) {
	if more == 0 {
		return
	}
	enough := make(chan struct{})
	d.mu.Lock()
	o := d.queues[k]
	all := len(o.list) + more
	o.back = func() {
		if len(o.list) >= all {
			o.back = nil
			close(enough)
		}
	}
	o.back()
	d.mu.Unlock()
	late := time.NewTimer(askAgain)
	defer late.Stop()
	select {
	case <-enough:
	case <-late.C:
	case <-d.ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	o.back = nil
}

// answer tells all who ask. Who asks the same now asks anew.
func (d *desk) answer(q *inquiry, a any) {
	d.mu.Lock()
	if d.open[q.key] == q {
		delete(d.open, q.key)
	}
	tell := q.tell
	d.mu.Unlock()
	q.stop()
	for _, t := range tell {
		t(a)
	}
}

// next returns what is to be answered next: one, or several together; nil if there is nothing
// that can be.
func (d *desk) next() []*inquiry {
	d.mu.Lock()
	defer d.mu.Unlock()
	var oldest *queue
	for _, o := range d.queues {
		if o.busy {
			continue
		}
		if len(o.list) >= d.many {
			if group := o.group(d.many); group != nil {
				o.busy = true
				return group
			}
		}
		if len(o.list) > 0 && (oldest == nil || o.list[0].turn < oldest.list[0].turn) {
			oldest = o
		}
	}
	if oldest == nil {
		d.busy--
		return nil
	}
	q := oldest.list[0]
	oldest.list[0] = nil
	oldest.list = oldest.list[1:]
	d.drop(q.kind)
	return []*inquiry{q}
}

// drop drops a queue that is not needed. With mu held.
func (d *desk) drop(k kind) {
	if o := d.queues[k]; len(o.list) == 0 && !o.busy {
		delete(d.queues, k)
	}
}

// group takes out those who stand near one another: of the first who are enough.
func (o *queue) group(many int) (group []*inquiry) {
	if o.list[0].kind == (kind{}) {
		return nil
	}
	sorted := slices.SortedStableFunc(slices.Values(o.list), func(a, b *inquiry) int { return cmp.Compare(a.number, b.number) })
	from := 0
	for i := range sorted {
		if i > from && sorted[i].number-sorted[i-1].number > nearby {
			if i-from >= many {
				break
			}
			from = i
		}
		group = sorted[from : i+1]
		if len(group) == groupMost {
			break
		}
	}
	if len(group) < many {
		return nil
	}
	in := make(map[*inquiry]bool, len(group))
	for _, q := range group {
		in[q] = true
	}
	o.list = slices.DeleteFunc(o.list, func(q *inquiry) bool { return in[q] })
	return group
}
