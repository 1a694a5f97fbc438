package longwire

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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
	first, base := n.recent.begins()
	if !n.several() {
		base = &marks{first - 1}
	}
	lists := make([][]*Publication, n.parts)
	for part := range lists {
		list, err := n.lastOf(ctx, part, base[part])
		if err != nil {
			n.log.Warn("longwire: the recent window is not filled; who comes back is served from history", slog.Any("err", err))
			return
		}
		lists[part] = list
	}
	n.recent.prepend(n.eventsBefore(first, *base, merge(lists)))
}

// merge puts the publications of partitions into one order, each partition's in that of its numbers, and by their times as
// far as that allows: publications that were made at the same time may have got their numbers in another order.
func merge(lists [][]*Publication) (all []*Publication) {
	for {
		next := -1
		for i, l := range lists {
			if len(l) > 0 && (next < 0 || l[0].Time.Before(lists[next][0].Time)) {
				next = i
			}
		}
		if next < 0 {
			return all
		}
		all, lists[next] = append(all, lists[next][0]), lists[next][1:]
	}
}

// lastOf reads the last publications of a partition up to a number that hang together, as many as the
// window has room for.
func (n *Node) lastOf(ctx context.Context, part int, last uint64) (list []*Publication, err error) {
	most, bytes := uint64(n.recent.most/n.parts), recentBytes/n.parts
	for next := last; next > 0 && uint64(len(list)) < most && bytes > 0; {
		after := next - min(prefillBlock, next)
		var block []*Publication
		for p, err := range n.broker.Read(ctx, &Range{Partition: part, Channels: []string{">"}, After: after, Limit: prefillBlock}) {
			if _, ok := errors.AsType[*GapError](err); ok {
				block = nil // what comes before it does not hang together with the rest
				continue
			}
			if err != nil {
				return nil, err
			}
			if p.Number > next {
				break
			}
			block = append(block, p)
		}
		whole := len(block)
		for whole > 0 && block[whole-1].Number == next && bytes > 0 {
			bytes -= cost(block[whole-1])
			next--
			whole--
		}
		list = append(slices.Clone(block[whole:]), list...)
		if whole > 0 || next > after {
			break
		}
	}
	return list[max(0, len(list)-int(most)):], nil
}

// eventsBefore makes events of publications that come right before a place in the order.
func (n *Node) eventsBefore(first uint64, at marks, all []*Publication) []*event {
	events := make([]*event, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		p := all[i]
		events[i] = n.eventIn(p, first-uint64(len(all)-i), new(at))
		at[p.Partition] = p.Number - 1
	}
	return events
}
