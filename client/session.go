package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/longwire/longwire/wire"
)

// connectTimeout bounds one attempt to connect, to the server's answer to the greeting.
const connectTimeout = wire.HandshakeTimeout

// run owns the client's life: one link after the other, until ctx ends or
// connecting again will not help.
func (c *Client) run(ctx context.Context, l link) {
	defer close(c.done)
	defer c.way.close()
	for {
		began := time.Now()
		err := c.serve(ctx, l)
		c.backoff.lived(time.Since(began))
		c.fail(c.lost(), nil)
		if l, err = c.again(ctx, err); err != nil {
			c.end(err)
			return
		}
	}
}

// serve serves one link until it ends, and returns why it did.
func (c *Client) serve(ctx context.Context, l link) error {
	over := make(chan struct{}) // closed when nothing more is read
	var writer sync.WaitGroup
	var unsent error
	writer.Go(func() { unsent = c.write(ctx, l, over) })
	err := c.read(ctx, l)
	close(over)
	l.close()
	writer.Wait()
	if _, told := errors.AsType[*wire.Error](err); !told && unsent != nil {
		return unsent
	}
	return err
}

// write sends what there is to send, until over is closed. When ctx ends it says goodbye.
func (c *Client) write(ctx context.Context, l link, over <-chan struct{}) error {
	// A server that does not read must not keep the client from ending.
	stop := context.AfterFunc(ctx, func() { c.closeSoon(l, over) })
	defer stop()
	later := time.AfterFunc(time.Hour, c.attend) // for when the pace allows more
	later.Stop()
	defer later.Stop()
	var frames [][]byte
	for {
		var wait time.Duration
		frames, wait = c.take(frames[:0])
		if err := l.send(frames); err != nil {
			c.closeSoon(l, over) // the reader may still hear why
			return err
		}
		if len(frames) > 0 {
			continue
		}
		if wait > 0 {
			later.Reset(wait)
		}
		select {
		case <-c.wake:
		case <-over:
			return nil
		case <-ctx.Done():
			l.bye()
			l.close()
			return nil
		}
	}
}

func (c *Client) closeSoon(l link, over <-chan struct{}) {
	select {
	case <-over:
	case <-time.After(wire.FlushTimeout):
		l.close()
	}
}

var pongFrame = wire.AppendPong(nil, 0)

// take returns what is to be sent next, or after what time there may be something.
func (c *Client) take(frames [][]byte) ([][]byte, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.pong {
		c.pong = false
		frames = append(frames, pongFrame)
	}
	if len(c.reqs.queue) > 0 {
		most, wait := c.pace.allow(now)
		if most == 0 {
			return frames, wait
		}
		frames = c.reqs.take(now, most, frames)
	}
	c.pace.spend(len(frames))
	return frames, 0
}

// again connects again. It returns an error when there is no sense in that any more.
func (c *Client) again(ctx context.Context, err error) (link, error) {
	for {
		wait, ok := c.backoff.next(err)
		switch {
		case ctx.Err() != nil:
			return nil, ErrClosed
		case !ok:
			return nil, err
		}
		if c.opts.Lost != nil {
			c.opts.Lost(err, wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ErrClosed
		}
		c.expire()
		var l link
		if l, err = c.connect(ctx); err == nil {
			c.expire()
			return l, nil
		}
	}
}

// lost hears that a link is gone, and returns what has failed with it.
func (c *Client) lost() []*request {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pong = false
	for _, s := range c.subs {
		s.live = false
	}
	return c.reqs.lost()
}

// keyMargin is what the server's window for keys is taken to be shorter: a
// frame needs its time to get there.
const keyMargin = connectTimeout

// expire fails what cannot be sent again any more.
func (c *Client) expire() {
	c.mu.Lock()
	window := max(c.limits.KeyWindow-keyMargin, c.limits.KeyWindow/2)
	failed := c.reqs.expired(time.Now(), window)
	c.mu.Unlock()
	c.fail(failed, nil)
}

// end ends the client for good.
func (c *Client) end(err error) {
	c.stop()
	c.mu.Lock()
	c.err = err
	failed := append(c.reqs.lost(), c.reqs.drop(func(*request) bool { return true })...)
	if c.reqs.freed != nil {
		close(c.reqs.freed)
		c.reqs.freed = nil
	}
	c.mu.Unlock()
	c.fail(failed, err)
}

// fail tells requests that there will be no answer: outcome_unknown to those that were sent, unless
// they change nothing; err to the others.
func (c *Client) fail(failed []*request, err error) {
	for _, q := range failed {
		if err != nil && (q.sent.IsZero() || q.fate == again || q.fate == greeted) {
			q.done(nil, err)
			continue
		}
		q.done(nil, wire.Errorf(wire.CodeOutcomeUnknown, "the connection was lost before the answer came; it may or may not have happened"))
	}
}
