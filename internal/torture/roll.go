package torture

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A roll is what is waited for: each is crossed off when it has come. Any goroutine may do that, at any time and again.
type roll[K comparable] struct {
	what string
	done chan struct{} // closed when nothing is left

	mu   sync.Mutex
	left map[K]struct{} // guarded by mu
}

// newRoll begins a roll. What is what it is called when somebody waits for too long.
func newRoll[K comparable](what string, keys []K) *roll[K] {
	r := &roll[K]{what: what, done: make(chan struct{}), left: make(map[K]struct{}, len(keys))}
	for _, k := range keys {
		r.left[k] = struct{}{}
	}
	if len(r.left) == 0 {
		close(r.done)
	}
	return r
}

// cross crosses off one that has come. Those that are not on the roll are nobody's business.
func (r *roll[K]) cross(k K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, waited := r.left[k]; !waited {
		return
	}
	if delete(r.left, k); len(r.left) == 0 {
		close(r.done)
	}
}

// wait waits until nothing is left. Where that takes too long the error is a [*lateError].
func (r *roll[K]) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		if closed(r.done) {
			return nil // both were there
		}
		return &lateError{fmt.Sprintf("torture: waited %v for %s: %s", d, r.what, r)}
	}
}

// String lists what is left, not more than people read.
func (r *roll[K]) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for k := range r.left {
		names = append(names, fmt.Sprint(k))
	}
	slices.Sort(names)
	if more := len(names) - maxFaults; more > 0 {
		names = append(names[:maxFaults], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// A lateError says that something never came.
type lateError struct{ said string }

func (e *lateError) Error() string { return e.said }
