package loop

import (
	"net"
	"time"
)

// A waiter is where a loop sleeps, and how it learns what its descriptors are
// ready for.
type waiter interface {
	// arm sets when sleep returns at the latest; zero is never. It may undo an
	// earlier wake.
	arm(due time.Time)
	// sleep returns when something happened, when wake was called since arm, or
	// when it is due. It may return early.
	sleep()
	// poll is sleep without sleeping.
	poll()
	// wake ends a sleep, also one that has not begun. Any goroutine, also after close.
	wake()
	// dispatch reads and marks the sockets that sleep or poll found ready.
	dispatch(l *Loop)
	// take takes the descriptor out of conn, if the waiter can watch it. Any goroutine.
	take(conn net.Conn) (fd int32, ok bool)
	add(s *Sock) error
	del(s *Sock)
	close()
}

// chanWaiter is the waiter of loops without descriptors: all their sockets
// have pumps, which post tasks. It makes a loop portable, and, since it
// sleeps on a channel and a timer, lets it run in virtual time.
type chanWaiter struct {
	bell  chan struct{}
	timer *time.Timer
	due   time.Time
}

func newChanWaiter() *chanWaiter {
	return &chanWaiter{bell: make(chan struct{}, 1)}
}

func (w *chanWaiter) arm(due time.Time) { w.due = due }

func (w *chanWaiter) sleep() {
	if w.due.IsZero() {
		<-w.bell
		return
	}
	if w.timer == nil {
		w.timer = time.NewTimer(time.Until(w.due))
	} else {
		w.timer.Reset(time.Until(w.due))
	}
	select {
	case <-w.bell:
		w.timer.Stop()
	case <-w.timer.C:
	}
}

func (w *chanWaiter) wake() {
	select {
	case w.bell <- struct{}{}:
	default:
	}
}

func (w *chanWaiter) poll()                       {}
func (w *chanWaiter) dispatch(*Loop)              {}
func (w *chanWaiter) take(net.Conn) (int32, bool) { return -1, false }
func (w *chanWaiter) add(*Sock) error             { return net.ErrClosed }
func (w *chanWaiter) del(*Sock)                   {}
func (w *chanWaiter) close()                      {}
