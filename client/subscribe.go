package client

import (
	"cmp"
	"context"
	"time"

	"github.com/longwire/longwire/wire"
)

// SubscribeOptions say where a subscription begins and who hears it. Nil means
// all defaults. The hooks are called as those of [Options] are.
type SubscribeOptions struct {
	// Since is where to begin: a position, now, all, last:N, or a duration such as
	// 10m. Empty means now.
	Since string
	// Message hears every publication. Once it has returned the publication counts as processed:
	// after a cut the next one follows.
	Message func(*Message)
	// Gap hears that publications are missing, before any later one.
	Gap func(*Gap)
	// End hears that the server has ended the subscription: when the client came
	// back it was not allowed any more.
	End func(error)
}

// A Message is a publication. What it points to is valid until the hook returns.
type Message struct {
	Channel  string
	Pattern  string // that was subscribed to, if it was one
	Position string // a subscription since here goes on behind it
	Time     time.Time
	From     string // the public id of the session that published it; empty for the server
	Headers  map[string]string
	Data     Data
	Frame    []byte // as it came, one line of JSON
}

// A Gap says that what was published to a channel between two positions is not
// delivered: it is not kept any more, or the client read too slowly.
type Gap struct {
	Channel  string // or pattern
	After    string // the last position before it; empty if it is not known
	Position string // where it goes on
	Lost     uint64 // how many publications; zero if that is not known
}

// A Subscription is a channel or pattern that the client is subscribed to.
type Subscription struct {
	c        *Client
	name     string
	o        SubscribeOptions
	answered chan struct{} // closed when the server has answered

	// Guarded by c.mu.
	err   error  // why it was refused, if it was
	since string // where it stands, or is to begin
	live  bool   // the server has answered on this link
	gap   bool   // that answer told of the gap of which a frame follows
}

// Subscribe subscribes to a channel or a pattern, and returns when the server has
// agreed. Messages may come before that.
func (c *Client) Subscribe(ctx context.Context, name string, o *SubscribeOptions) (*Subscription, error) {
	if o == nil {
		o = &SubscribeOptions{}
	}
	if err := wire.CheckPattern(name); err != nil {
		return nil, err
	}
	s := &Subscription{c: c, name: name, o: *o, since: o.Since, answered: make(chan struct{})}
	if err := c.addSubscription(s); err != nil {
		return nil, err
	}
	select {
	case <-s.answered:
	case <-c.done:
		return nil, c.Err()
	case <-ctx.Done():
		s.leave(func(error) {})
		return nil, context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	return s, nil
}

// addSubscription does not wait for room: subscriptions are bounded by the server.
func (c *Client) addSubscription(s *Subscription) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch most := c.limits.Subscriptions; {
	case c.err != nil:
		return c.err
	case c.subs[s.name] != nil:
		return &wire.Error{Code: wire.CodeAlreadySubscribed}
	case most > 0 && len(c.subs) >= most:
		return wire.Errorf(wire.CodeForbidden, "a session has at most %d subscriptions; use a pattern", most)
	}
	c.subs[s.name] = s
	c.reqs.add(c.subscribing(s))
	c.attend()
	return nil
}

// subscribing returns the request for a subscription. The client is locked.
func (c *Client) subscribing(s *Subscription) *request {
	q := &request{id: c.reqs.nextID(), fate: greeted}
	q.frame = wire.AppendSubscribe(nil, q.id, s.name, s.since)
	q.done = func(f *serverFrame, err error) {
		switch {
		case wire.CodeOf(err) == wire.CodeAlreadySubscribed:
			// By the server, as to an inbox. It has been since the session stood there.
			c.settle(s.name, c.stood(), false, nil)
		case err != nil:
			c.settle(s.name, "", false, err)
		case f != nil: // else a greeting says it
			c.settle(s.name, f.Position, f.Gap, nil)
		}
	}
	return q
}

func (c *Client) unsubscribing(name string, done func(*serverFrame, error)) *request {
	q := &request{id: c.reqs.nextID(), fate: greeted, channel: name, done: done}
	q.frame = wire.AppendUnsubscribe(nil, q.id, name)
	return q
}

// stood returns where the session stood when its link began.
func (c *Client) stood() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.position
}

// settle takes up the server's answer for a subscription.
func (c *Client) settle(name, position string, gap bool, err error) {
	c.mu.Lock()
	s := c.subs[name]
	if s == nil {
		c.mu.Unlock()
		return
	}
	from := s.since
	s.live, s.gap, s.err = err == nil, gap, err
	if err != nil {
		delete(c.subs, name)
	} else {
		s.since = cmp.Or(position, s.since)
	}
	first := !closed(s.answered)
	if first {
		close(s.answered)
	}
	c.mu.Unlock()
	if err != nil && !first && s.o.End != nil {
		s.o.End(err)
	}
	if gap && s.o.Gap != nil {
		s.o.Gap(&Gap{Channel: name, After: from, Position: position})
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Position returns where the subscription stands: behind the last publication
// that was processed. Whoever subscribes since there gets what follows.
func (s *Subscription) Position() string {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.since
}

// Unsubscribe ends the subscription. Its hooks are not called any more once it has returned.
func (s *Subscription) Unsubscribe(ctx context.Context) error {
	answer := make(chan error, 1)
	s.leave(func(err error) { answer <- err })
	select {
	case err := <-answer:
		return err
	case <-s.c.done:
		return s.c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Subscription) leave(done func(error)) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs[s.name] != s || c.err != nil {
		done(nil)
		return
	}
	delete(c.subs, s.name)
	c.reqs.add(c.unsubscribing(s.name, func(_ *serverFrame, err error) { done(err) }))
	c.attend()
}
