package torture

import (
	"context"
	"fmt"
	"time"

	"github.com/longwire/longwire/client"
)

// clients publishes by the Go client, one after the other or several at once.
func (p *publisher) clients(ctx context.Context, via client.Via, atOnce int) {
	c := p.dial(ctx, via)
	if c == nil {
		return
	}
	defer c.Close()
	room := make(chan struct{}, atOnce)
	for {
		e, ok := p.next(ctx)
		if !ok {
			break
		}
		o := &client.PublishOptions{}
		if e.Keyed {
			o.Key = key(e.ID)
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		p.lap.record(e, Begun, "", nil)
		err := c.PublishFunc(ctx, e.Channel, client.Data{Type: typeOf(e.ID), Bytes: payload(e.ID)}, o, func(position string, err error) {
			p.heard(e, position, err)
			<-room
		})
		if err != nil {
			p.lap.fail(fmt.Errorf("torture: the client of %s does not publish: %w", e.Who, err))
			return
		}
	}
	for range atOnce { // all are settled
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// heard notes what the client says. It has tried again itself: what it does not know nobody will.
func (p *publisher) heard(e Event, position string, err error) {
	e.Keyed = false // what settles it is the last word
	p.lap.settled(e, position, err)
}

func (p *publisher) dial(ctx context.Context, via client.Via) *client.Client {
	for ctx.Err() == nil {
		c, err := p.lap.dialClient(ctx, via, nil)
		if err == nil {
			return c
		}
		p.lap.sleep(ctx, 100*time.Millisecond)
	}
	return nil
}
