package brokertest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire"
)

// An ear follows a broker and complains about what no follower may hear.
type ear struct {
	s    *suite
	busy []atomic.Bool               // a partition tells it something
	also func(*longwire.Publication) // called for each; nil: nothing

	cancel context.CancelFunc
	began  chan struct{} // closed when all partitions have begun
	ended  chan struct{} // closed when Follow has returned

	mu sync.Mutex
	// Guarded by mu.
	begins []longwire.Feed // of each partition; one without an epoch has not begun
	left   int             // those
	last   []uint64        // number of each partition
	heard  []*longwire.Publication
	over   bool
}

// follow follows, and returns when all partitions have begun. It may be called from any
// goroutine.
func (s *suite) follow(also func(*longwire.Publication)) *ear {
	n := s.partitions()
	e := &ear{
		s: s, busy: make([]atomic.Bool, n), also: also,
		began: make(chan struct{}), ended: make(chan struct{}),
		begins: make([]longwire.Feed, n), left: n, last: make([]uint64, n),
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	s.mu.Lock()
	s.ears = append(s.ears, e)
	s.mu.Unlock()
	go func() { // stop waits for it
		defer close(e.ended)
		if err := s.b.Follow(ctx, e.hear); err != nil {
			s.Errorf("Follow: %v", err)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.over = true
	}()
	e.wait("begin of a feed", e.began)
	return e
}

func (e *ear) wait(what string, c <-chan struct{}) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-c:
	case <-late.C:
		e.s.Errorf("no %s after %v", what, patience)
	}
}

// stop ends following.
func (e *ear) stop() {
	e.cancel()
	e.wait("end of Follow after its context's", e.ended)
}

func (e *ear) hear(f longwire.Feed) {
	if f.Partition < 0 || f.Partition >= len(e.busy) {
		e.s.Errorf("a feed of partition %d", f.Partition)
		return
	}
	if !e.busy[f.Partition].CompareAndSwap(false, true) {
		e.s.Errorf("partition %d tells two things at once", f.Partition)
	}
	e.note(f)
	if e.also != nil {
		for _, p := range f.Publications {
			e.also(p)
		}
	}
	e.busy[f.Partition].Store(false)
}

func (e *ear) note(f longwire.Feed) {
	e.mu.Lock()
	defer e.mu.Unlock()
	begin := &e.begins[f.Partition]
	switch {
	case e.over:
		e.s.Errorf("partition %d tells something after Follow has returned", f.Partition)
	case f.Epoch == 0 || begin.Epoch != 0 && begin.Epoch != f.Epoch:
		e.s.Errorf("partition %d is told in epoch %d after %d", f.Partition, f.Epoch, begin.Epoch)
	case len(f.Publications) > 0 && e.left > 0:
		e.s.Errorf("partition %d tells publications before all have begun", f.Partition)
	case len(f.Publications) == 0 && begin.Epoch != 0:
		e.s.Errorf("partition %d begins again, at %d", f.Partition, f.Last)
	case len(f.Publications) == 0:
		*begin = f
		e.last[f.Partition] = f.Last
		if e.left--; e.left == 0 {
			close(e.began)
		}
		return
	}
	e.add(f)
}

// add takes in publications. With mu held.
func (e *ear) add(f longwire.Feed) {
	for _, p := range f.Publications {
		if p.Partition != f.Partition || p.Epoch != f.Epoch || e.s.partition(p.Channel) != p.Partition {
			e.s.Errorf("partition %d tells in epoch %d of number %d of partition %d, epoch %d, to %s", f.Partition, f.Epoch, p.Number, p.Partition, p.Epoch, p.Channel)
		}
		if p.Number != 0 { // there is one if there is history
			if p.Number != e.last[f.Partition]+1 {
				e.s.Errorf("partition %d tells number %d after %d", f.Partition, p.Number, e.last[f.Partition])
			}
			e.last[f.Partition] = p.Number
		}
	}
	e.heard = append(e.heard, f.Publications...)
	if last := e.last[f.Partition]; f.Last != last {
		e.s.Errorf("partition %d says that %d is the last it told, it is %d", f.Partition, f.Last, last)
	}
}

// n returns how much was heard.
func (e *ear) n() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.heard)
}

// hears waits until so much was heard, and returns what.
func (e *ear) hears(n int) []*longwire.Publication {
	e.s.Helper()
	e.s.await("feed of what was published", func() bool { return e.n() >= n })
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.heard) != n {
		e.s.Errorf("%d publications were heard, not %d", len(e.heard), n)
	}
	return e.heard
}
