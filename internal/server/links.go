package server

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// links is every open connection of the server, so that all can be told when
// it ends.
type links struct {
	mu sync.Mutex
	// Guarded by mu.
	all    map[*longwire.Conn]struct{}
	ending bool
	empty  chan struct{} // closed when ending and all is empty
}

func newLinks() *links {
	return &links{all: map[*longwire.Conn]struct{}{}, empty: make(chan struct{})}
}

// add refuses connections once the server is ending.
func (l *links) add(c *longwire.Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return goodbye()
	}
	l.all[c] = struct{}{}
	return nil
}

func (l *links) remove(c *longwire.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, c)
	l.settle()
}

func (l *links) settle() {
	if l.ending && len(l.all) == 0 {
		select {
		case <-l.empty:
		default:
			close(l.empty)
		}
	}
}

// end tells everybody, and waits until all are gone or ctx ends.
func (l *links) end(ctx context.Context) {
	l.mu.Lock()
	l.ending = true
	told := make([]*longwire.Conn, 0, len(l.all))
	for c := range l.all {
		told = append(told, c)
	}
	l.settle()
	l.mu.Unlock()
	for _, c := range told {
		c.CloseWith(*goodbye())
	}
	select {
	case <-l.empty:
	case <-ctx.Done():
	}
}

// goodbye asks each client to come back at a time of its own, so that a
// restart is no storm.
func goodbye() *longwire.Close {
	const soonest, spread = 500 * time.Millisecond, 4500 * time.Millisecond
	return &longwire.Close{Code: wire.CodeGoingAway, Retry: soonest + rand.N(spread)}
}
