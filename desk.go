package longwire

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/longwire/longwire/internal/loop"
)

// A desk is where history is asked for what the recent window does not have. A few
// goroutines answer, so that a thousand sessions that come back at once are a queue and
// not a thousand reads; and all who ask the same while it is not answered share one
// answer, because whoever lost the same server stands at the same place.
type desk struct {
	ctx   context.Context // the node's; immutable
	reads atomic.Int64    // answers that were looked for

	mu sync.Mutex
	// Guarded by mu.
	open  map[string]*inquiry // that are not answered, by what is asked
	queue []*inquiry          // that nobody works on
	busy  int                 // goroutines
}

// deskReads is how many goroutines answer. A broker on the same machine is busy with
// fewer; one in a network hides its distance behind them.
const deskReads = 16

// An inquiry is one thing that is asked. Whoever asks is told the answer, also if it
// left meanwhile; when all have left the answer need not be good.
type inquiry struct {
	key string
	do  func(ctx context.Context) any

	ctx  context.Context
	stop context.CancelFunc

	// Guarded by the desk's mu.
	tell []func(answer any)
	stay int // of those who asked
}

// ask asks, and has tell called with the answer, from another goroutine. Leave says, any
// number of times, that it is of no use any more. Loop lends the goroutine.
func (d *desk) ask(l *loop.Loop, key string, do func(ctx context.Context) any, tell func(answer any)) (leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.open[key]
	if q == nil || q.stay == 0 { // an answer that nobody waits for may be none
		q = &inquiry{key: key, do: do}
		q.ctx, q.stop = context.WithCancel(d.ctx)
		if d.open == nil {
			d.open = map[string]*inquiry{}
		}
		d.open[key] = q
		d.queue = append(d.queue, q)
		if d.busy < deskReads {
			d.busy++
			l.Go(d)
		}
	}
	q.tell = append(q.tell, tell)
	q.stay++
	return sync.OnceFunc(func() { d.leave(q) })
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
	for q := d.next(); q != nil; q = d.next() {
		d.reads.Add(1)
		answer := q.do(q.ctx)
		q.stop()
		for _, tell := range d.close(q) {
			tell(answer)
		}
	}
}

func (d *desk) next() *inquiry {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		d.queue = nil
		d.busy--
		return nil
	}
	q := d.queue[0]
	d.queue[0] = nil
	d.queue = d.queue[1:]
	return q
}

// close takes an inquiry off the desk: who asks the same now asks anew.
func (d *desk) close(q *inquiry) []func(any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[q.key] == q {
		delete(d.open, q.key)
	}
	return q.tell
}
