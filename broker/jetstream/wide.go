package jetstream

import (
	"context"
	"iter"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A wide read has so many names that to read each by itself would take longer than to read everything once: the
// store looks for the publications of a channel at each that is kept, in some 50 ns, and gives away all of them in
// 5 µs each. It is a read of the pattern for all, of which only what is wanted is given away, and
// which tells of gaps for each name.
//
// What is lost is looked for once in widePages pages, because channels that keep all they can are each looked at.
const (
	wideFrom  = 64
	widePages = 8
)

// channels is a set of them.
type channels map[string]bool

// wide returns the names if they are to be read together.
func (w *walk) wide() channels {
	few := w.r.UpTo > w.r.After && w.r.UpTo-w.r.After <= walkMost // to read in any case
	if len(w.r.Channels) < wideFrom && !few || w.r.Last > 0 {
		return nil
	}
	many := make(channels, len(w.r.Channels))
	for _, name := range w.r.Channels {
		if wire.IsPattern(name) {
			return nil
		}
		many[name] = true
	}
	return many
}

// names walks the names that are wanted.
func (n *want) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		if n.among == nil {
			yield(n.name)
			return
		}
		for name := range n.among {
			if !yield(name) {
				return
			}
		}
	}
}

// widen makes a page longer, unless little of it is wanted.
func (w *walk) widen(n *want) error {
	if w.left > 0 && w.left < walkMost {
		return nil
	}
	g := n.page
	for i := 1; i < widePages && g.pending > 0 && g.last < w.end; i++ {
		more, err := w.whole(&want{name: n.name, after: g.last, page: g}, func() (*page, error) {
			return w.b.fetch(w.ctx, w.p, n.name, g.last+1, walkMost)
		})
		if err != nil {
			return err
		}
		g.list = append(g.list, more.list...)
		g.without += more.without
		g.pending, g.last = more.pending, max(g.last, more.last)
	}
	return nil
}

// tellLosses is tellLoss for many names.
func (w *walk) tellLosses(n *want) error {
	losses, err := w.b.lossesAfter(w.ctx, w.p, n)
	if err != nil {
		return err
	}
	n.foreign = false
	if len(losses) == 0 {
		return nil
	}
	first := map[string]uint64{}
	for _, q := range n.page.list {
		if _, found := losses[q.Channel]; found && first[q.Channel] == 0 {
			first[q.Channel] = q.Number
		}
	}
	for name, upTo := range losses {
		if first[name] == 0 {
			g, err := w.b.fetch(w.ctx, w.p, name, n.after+1, 1)
			if err != nil {
				return err
			}
			first[name] = maxCount
			if len(g.list) > 0 {
				first[name] = g.list[0].Number
			}
		}
		next := min(w.last, first[name]-1)
		w.gaps = append(w.gaps, &longwire.GapError{Channel: name, After: next, Lost: max(next, upTo)})
	}
	return nil
}

// lossesAfter is lossAfter for many names: of those that may miss something, the number behind which nothing was lost.
func (b *Broker) lossesAfter(ctx context.Context, p *part, n *want) (map[string]uint64, error) {
	s, err := b.stateOf(ctx, p, "")
	if err != nil {
		return nil, err
	}
	losses := map[string]uint64{}
	front, count := b.frontLost(p, s, n.after, n.taken)
	if front || n.foreign {
		for name := range n.among {
			losses[name] = s.First - 1
		}
	}
	for name, f := range b.record.Load().Forgotten {
		if n.among[name] && f.Number > n.after {
			losses[name] = max(losses[name], f.Number)
		}
	}
	full, err := b.crowded(ctx, p, n.name, count, s.Last)
	if err != nil {
		return nil, err
	}
	for _, name := range full {
		if !n.among[name] {
			continue
		}
		upTo, lost, err := b.lostOf(ctx, p, name, n.after, count)
		if err != nil {
			return nil, err
		}
		if lost {
			losses[name] = max(losses[name], upTo, s.First-1)
		}
	}
	if len(losses) == 0 || n.foreign {
		return losses, nil
	}
	there, err := b.keptThere(ctx, p, n.after)
	for _, name := range there {
		delete(losses, name)
	}
	return losses, err
}
