package client

import (
	"cmp"
	"context"

	"github.com/longwire/longwire/wire"
)

// read takes up what the server says until the link ends, and returns why it did.
func (c *Client) read(ctx context.Context, l link) error {
	for {
		p, err := l.receive()
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		f, err := parseFrame(p)
		if err != nil {
			return err
		}
		if f.Op == wire.OpClose {
			return f.Err()
		}
		if err := c.hear(f); err != nil {
			return err
		}
	}
}

// hear takes up one frame. Ops that are not known, and answers that nobody waits for, are ignored.
func (c *Client) hear(f *serverFrame) error {
	switch f.Op {
	case wire.OpMessage:
		return c.message(f)
	case wire.OpGap:
		c.gap(f)
	case wire.OpPing:
		c.pinged(f)
	case wire.OpReply, wire.OpError, wire.OpPong:
		c.answered(f)
	}
	return nil
}

func (c *Client) answered(f *serverFrame) {
	c.mu.Lock()
	q := c.reqs.answered(f.ID)
	c.mu.Unlock()
	if q != nil {
		q.done(f, errorOf(f.Err()))
	}
}

// heard returns the subscription that a frame is for, nil if there is none on this
// link: what comes before the server's answer was on its way to another that had this name.
func (c *Client) heard(f *serverFrame) (s *Subscription, gap bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s = c.subs[cmp.Or(f.Sub, f.Channel)]
	if s == nil || !s.live {
		return nil, false
	}
	gap, s.gap = s.gap, false
	return s, gap
}

// stands notes where a subscription stands.
func (s *Subscription) stands(position string) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.since = cmp.Or(position, s.since)
}

func (c *Client) message(f *serverFrame) error {
	s, _ := c.heard(f)
	if s == nil {
		return nil
	}
	m, err := messageOf(f)
	if err != nil {
		return err
	}
	if s.o.Message != nil {
		s.o.Message(m)
	}
	s.stands(f.Position)
	return nil
}

func messageOf(f *serverFrame) (*Message, error) {
	data, err := f.data()
	return &Message{
		Channel: f.Channel, Pattern: f.Sub, Position: f.Position,
		Time: f.Time, From: f.From, Headers: f.Headers, Data: data, Frame: f.raw,
	}, err
}

func (c *Client) gap(f *serverFrame) {
	s, told := c.heard(f)
	if s == nil {
		return
	}
	if !told && s.o.Gap != nil {
		s.o.Gap(&Gap{Channel: s.name, After: f.After, Position: f.Position, Lost: f.Lost})
	}
	s.stands(f.Position)
}

// pinged hears a heartbeat. It says where all subscriptions stand, so that the
// position of a channel in which nothing happens does not grow old.
func (c *Client) pinged(f *serverFrame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		if s.live && f.Position != "" {
			s.since = f.Position
		}
	}
	if c.via == TCP { // a WebSocket has pings of its own, HTTP asks for no answer
		c.pong = true
		c.attend()
	}
}
