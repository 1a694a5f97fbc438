package client

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/longwire/longwire/wire"
)

// A builder appends a request's frame.
type builder func(dst []byte, id uint64) []byte

// start puts a request under way, and waits for room before that. If an error is
// returned, done is not called.
func (c *Client) start(ctx context.Context, f fate, build builder, done func(*serverFrame, error)) (*request, error) {
	for {
		c.mu.Lock()
		if c.err != nil {
			defer c.mu.Unlock()
			return nil, c.err
		}
		if c.reqs.room() {
			break
		}
		if c.reqs.freed == nil {
			c.reqs.freed = make(chan struct{})
		}
		freed := c.reqs.freed
		c.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	defer c.mu.Unlock()
	q := &request{id: c.reqs.nextID(), fate: f, done: done}
	q.frame = build(nil, q.id)
	c.reqs.add(q)
	c.attend()
	return q, nil
}

// ask is start that waits for the answer. Pick copies what is wanted of it.
func ask[T any](ctx context.Context, c *Client, f fate, build builder, pick func(*serverFrame) (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	answers := make(chan answer, 1)
	q, err := c.start(ctx, f, build, func(frame *serverFrame, err error) {
		a := answer{err: err}
		if err == nil {
			a.v, a.err = pick(frame)
		}
		answers <- a
	})
	if err != nil {
		return none, err
	}
	select {
	case a := <-answers:
		return a.v, a.err
	case <-ctx.Done():
	}
	if c.forget(q) || f == again {
		return none, context.Cause(ctx)
	}
	return none, fmt.Errorf("%w (%w)", &wire.Error{Code: wire.CodeOutcomeUnknown}, context.Cause(ctx))
}

// forget reports whether a request that nobody waits for any more was never sent.
func (c *Client) forget(q *request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reqs.forget(q)
}

// refuseLarge is what the server would say, without the bytes being sent. On TCP it
// would end the link.
func (c *Client) refuseLarge(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if most := c.limits.Message; most > 0 && n > most {
		return wire.Errorf(wire.CodeTooLarge, "the data has %d bytes; the server takes %d", n, most)
	}
	return nil
}

// checked returns data as frames carry it, or what is wrong with it.
func (c *Client) checked(d Data) (Data, error) {
	if err := c.refuseLarge(len(d.Bytes)); err != nil {
		return d, err
	}
	switch {
	case d.ContentType != "":
		return d, wire.CheckContentType(d.ContentType)
	case d.Type == JSON:
		if err := wire.CheckJSON(d.Bytes); err != nil {
			return d, err
		}
		d.Bytes = wire.AppendCompact(nil, d.Bytes)
	case d.Type == Text && !utf8.Valid(d.Bytes):
		return d, &wire.Error{Code: wire.CodeBadUTF8}
	}
	return d, nil
}
