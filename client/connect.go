package client

import (
	"context"
	"errors"

	"github.com/longwire/longwire/wire"
)

// Beginning and resuming. The greeting is a `connect` frame with the session, its
// secret, and all subscriptions, each with where it stands; `connected` answers
// for all of them. On a stream the server speaks first, and a `connect` frame
// would be too late: the request names the session, and the subscriptions are
// made anew by frames, each from where it stands.

// A greeting is how a link begins.
type greeting struct {
	id    uint64 // of the frame
	frame []byte // `connect`; nil where the server speaks first

	token, session, secret string // of the frame, for where there is none

	wake func() // asks for a call of send, to answer for the link itself; any goroutine
}

// connect opens a link and waits until the session is there.
func (c *Client) connect(ctx context.Context) (link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout,
		wire.Errorf(wire.CodeHandshakeTimeout, "the server did not answer within %v", connectTimeout))
	defer cancel()
	l, err := c.greet(ctx)
	// Sessions end, and their secrets with them; the positions go on being good.
	if e, ok := errors.AsType[*wire.Error](err); ok && (e.Code == wire.CodeForbidden || e.Code == wire.CodeSessionMoved) && c.forgetSession() {
		l, err = c.greet(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return l, err
}

func (c *Client) forgetSession() (had bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	had = c.session != ""
	c.session, c.secret = "", ""
	return had
}

func (c *Client) greet(ctx context.Context) (link, error) {
	g, done := c.greeting()
	for _, q := range done {
		q.done(nil, nil)
	}
	l, err := c.way.open(ctx, g)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, l.close)
	defer stop()
	f, err := awaitConnected(l, g)
	if err != nil {
		l.close()
		return nil, err
	}
	if c.begun && c.opts.Back != nil {
		c.opts.Back()
	}
	c.begun = true
	c.welcome(f, g)
	return l, nil
}

func awaitConnected(l link, g *greeting) (*serverFrame, error) {
	for {
		p, err := l.receive()
		if err != nil {
			return nil, err
		}
		f, err := parseFrame(p)
		switch {
		case err != nil:
			return nil, err
		case f.Op == wire.OpConnected && f.ID == g.id:
			return f, nil
		case f.Op == wire.OpClose, f.Op == wire.OpError && f.ID == g.id:
			return nil, f.Err()
		}
	}
}

// greeting says who this is and what it is subscribed to. Frames that were to say
// so have done with that.
func (c *Client) greeting() (g *greeting, done []*request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g = &greeting{token: c.opts.Token, session: c.session, secret: c.secret, wake: c.attend}
	if c.via == SSE || c.via == NDJSON {
		return g, nil
	}
	g.id = c.reqs.nextID()
	f := &wire.Connect{
		ID: g.id, Version: 1, Name: c.opts.Name,
		Token: g.token, Session: g.session, Secret: g.secret, Subscribe: []wire.Want{},
	}
	for _, s := range c.subs {
		f.Subscribe = append(f.Subscribe, wire.Want{Channel: s.name, Since: s.since})
	}
	g.frame = wire.AppendConnect(nil, f)
	return g, c.reqs.drop(func(q *request) bool { return q.fate == greeted })
}

// welcome takes up what the server says of the session.
func (c *Client) welcome(f *serverFrame, g *greeting) {
	c.mu.Lock()
	c.session, c.secret, c.position, c.limits = f.Session, f.Secret, f.Position, f.Limits
	c.pace.set(f.Limits.Rate)
	c.mu.Unlock()
	if g.frame == nil {
		c.subscribeAgain()
		return
	}
	for i := range f.Subscriptions {
		s := &f.Subscriptions[i]
		c.settle(s.Channel, s.Position, s.Gap, errorOf(s.Err))
	}
}

// errorOf keeps a nil *wire.Error from being an error that is not nil.
func errorOf(e *wire.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// subscribeAgain makes all subscriptions anew. A session that was kept may have
// them already, from now on or by a frame of which nobody knew whether it came,
// and what they bring until then is not heard.
func (c *Client) subscribeAgain() {
	c.mu.Lock()
	done := c.reqs.drop(func(q *request) bool { return q.fate == greeted })
	for _, q := range done {
		if q.channel != "" && c.subs[q.channel] == nil {
			c.reqs.add(c.unsubscribing(q.channel, func(*serverFrame, error) {}))
		}
	}
	for _, s := range c.subs {
		c.reqs.add(c.unsubscribing(s.name, func(*serverFrame, error) {}))
		c.reqs.add(c.subscribing(s))
	}
	c.mu.Unlock()
	for _, q := range done {
		q.done(nil, nil)
	}
}
