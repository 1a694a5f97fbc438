package longwire

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/longwire/longwire/wire"
)

// Draining ends a node's service without a storm: nobody new is taken, and those
// who are there are sent away one after the other, each with a time of its own to
// come back at.

const (
	drainEach  = 2 * time.Millisecond // between two of them: 500 in a second
	drainShare = 0.8                  // of the time until the deadline, at most
	retryLeast = 500 * time.Millisecond
	retryMost  = 5 * time.Second
)

// Drain stops taking links and publications, and ends all sessions and readers with
// the code draining, spread over the time until ctx's deadline, or without one as
// fast as 500 per second. It returns when every one was told, and Disconnect has heard of it, or the context's
// error. Call it before the engine, the broker and the http.Server are closed.
func (n *Node) Drain(ctx context.Context) error {
	n.takeNobody()
	var all []*Session
	for s := range n.sessions.all() {
		all = append(all, s)
	}
	for _, h := range n.hubs {
		all = append(all, h.listReaders()...)
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	pause := drainEach
	if deadline, ok := ctx.Deadline(); ok && len(all) > 0 {
		pause = min(pause, time.Duration(float64(time.Until(deadline))*drainShare)/time.Duration(len(all)))
	}
	begun := time.Now()
	for i, s := range all {
		if wait := time.Until(begun.Add(time.Duration(i) * pause)); wait > time.Millisecond {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		_ = s.Close(n.draining()) // it may have ended by itself
	}
	return n.settled(ctx)
}

// settled waits until the loops have done what was asked of them.
func (n *Node) settled(ctx context.Context) error {
	for _, h := range n.hubs {
		done := make(chan struct{})
		if !h.loop.PostTask(effect(func(time.Time) { close(done) })) {
			continue
		}
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for n.untold.Load() > 0 {
		select {
		case <-time.After(time.Millisecond): // hooks take longer than that
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// listReaders lists those who only read.
func (h *hub) listReaders() (list []*Session) {
	done := make(chan struct{})
	if h.loop.PostTask(effect(func(time.Time) {
		for s := range h.readers {
			list = append(list, s)
		}
		close(done)
	})) {
		<-done
	}
	return list
}

func backSoon() time.Duration {
	return retryLeast + time.Duration(rand.Int64N(int64(retryMost-retryLeast)))
}

func (n *Node) draining() Close  { return Close{Code: wire.CodeDraining, Retry: backSoon()} }
func (n *Node) goingAway() Close { return Close{Code: wire.CodeGoingAway, Retry: backSoon()} }

func (n *Node) startedAgain() Close { return Close{Code: wire.CodeUnavailable, Retry: backSoon()} }

// goAway is the refusal of a node that drains.
func (n *Node) goAway(retry time.Duration) *wire.Error {
	if retry == 0 {
		retry = backSoon()
	}
	return &wire.Error{Code: wire.CodeDraining, Retry: retry}
}

// fallBehind makes all who live on a hub's loop catch up: more was published than
// the hub could hold.
func (n *Node) fallBehind(h *hub) {
	for _, s := range h.sessions() {
		if s.line == nil || len(s.subs) == 0 {
			continue
		}
		for _, t := range s.subs {
			if !t.catches() {
				s.catch(t, max(t.after, h.horizon))
			}
		}
		h.loop.PostTask(effect(s.catchUp))
	}
}
