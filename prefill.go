package longwire

import (
	"context"
	"log/slog"
	"time"
)

// A node that begins fills its recent window from what the broker keeps, backwards, for
// as far as nothing is missing: after a restart all come back at once, and are served
// from memory as if the node had been there. Where a publication has been dropped it
// stops, because what is in the window is taken for all there was.

const (
	prefillBlock = 1024 // publications that are read at once
	prefillTime  = 10 * time.Second
)

func (n *Node) prefill() {
	ctx, cancel := context.WithTimeout(n.ctx, prefillTime)
	defer cancel()
	for {
		first := n.recent.begins()
		if first <= 1 {
			return
		}
		events, err := n.eventsBefore(ctx, first)
		if err != nil {
			n.log.Warn("longwire: the recent window is not filled; who comes back is served from history", slog.Any("err", err))
			return
		}
		if !n.recent.prepend(events) || len(events) < prefillBlock {
			return
		}
	}
}

// eventsBefore reads the block of events before a number.
func (n *Node) eventsBefore(ctx context.Context, first uint64) (events []*event, err error) {
	after := first - 1 - min(prefillBlock, first-1)
	for p, err := range n.broker.Read(ctx, &Range{Channels: []string{">"}, After: after, Limit: prefillBlock}) {
		if err != nil {
			return nil, err
		}
		if p.Number >= first {
			break
		}
		events = append(events, newEvent(p))
	}
	return events, nil
}
