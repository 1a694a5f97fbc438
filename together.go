package longwire

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// Questions that are asked alone, and together with others of their kind: then the broker is asked for all their
// channels at once, from where the one stands who is furthest behind. A gap that it tells concerns those who stand before its
// end, maybe: they are asked alone, because how long ago somebody stood there is another matter for each.

// A pageQuestion asks for the next page of what is older than the recent window.
type pageQuestion struct {
	n *Node
	r *Range
}

func (a *pageQuestion) alone(ctx context.Context) any { return a.n.readPage(ctx, a.r) }

func (a *pageQuestion) joins() (kind, uint64) {
	if slices.ContainsFunc(a.r.Channels, isPattern) {
		return kind{}, 0
	}
	return kind{"page", a.r.Partition}, a.r.After
}

const (
	// togetherBytes is about how much memory the pages take that are read together, and what
	// waits of them at loops.
	togetherBytes = 64 << 20
	// togetherMost is how many of a partition's publications are looked at for all. It takes
	// so long that meanwhile all ask again who were served before, and so few that those who ask first are not
	// far ahead of the others then.
	togetherMost = 1 << 16
)

// A reader is one of those for whom a page is read together with others'.
type reader struct {
	q     *inquiry
	r     *Range
	page  *pageRead
	bytes int
	done  bool
}

// together reads a piece once for all of them. Each has its page when that is full, or all there is of it in the piece.
func (a *pageQuestion) together(ctx context.Context, all []*inquiry, answer func(*inquiry, any)) (again int) {
	n := a.n
	r := &Range{Partition: a.r.Partition, Epoch: a.r.Epoch, After: a.r.After, Taken: a.r.Taken}
	readers, by := make([]*reader, len(all)), map[string][]*reader{}
	for i, q := range all {
		o := q.question.(*pageQuestion).r
		readers[i] = &reader{q: q, r: o, page: &pageRead{}}
		r.reachBack(o.After, o.Taken)
		for _, name := range o.Channels {
			by[name] = append(by[name], readers[i])
		}
	}
	for name := range by {
		r.Channels = append(r.Channels, name)
	}
	r.UpTo = r.After + togetherMost
	upTo := min(r.UpTo, n.postedIn(r.Partition)) // first: all of it can be read
	end, err := n.readTogether(n.broker.Read(ctx, r), by, answer)
	if end > 0 {
		upTo = end
	}
	for _, o := range readers {
		if o.done {
			continue
		}
		o.page.upTo, o.page.err = upTo, err
		if k := len(o.page.events); k > 0 {
			o.page.upTo = max(upTo, o.page.events[k-1].p.Number)
		}
		answer(o.q, o.page)
	}
	for _, o := range readers {
		if o.page.upTo > 0 && !n.windowHolds(r.Partition, o.page.upTo) { // a full page is one, too
			again++
		}
	}
	return again
}

// windowHolds reports whether all that follows a number of a partition is in the recent window.
func (n *Node) windowHolds(part int, number uint64) bool {
	first, base := n.recent.begins()
	if n.several() {
		return number >= base[part]
	}
	return number+1 >= first
}

// readTogether gives what is read to those who want it. It returns where it ended, zero at the end of what it was to read.
func (n *Node) readTogether(all iter.Seq2[*Publication, error], by map[string][]*reader, answer func(*inquiry, any)) (end uint64, err error) {
	bytes := 0
	for p, err := range all {
		if g, ok := errors.AsType[*GapError](err); ok {
			for _, o := range by[g.Channel] {
				o.done = o.done || o.r.After < max(g.After, g.Lost)
			}
			continue
		}
		if err != nil {
			return 0, err
		}
		var e *event
		for _, o := range by[p.Channel] {
			if o.done || o.r.After >= p.Number {
				continue
			}
			if e == nil {
				e = n.eventIn(p, p.Number, nil)
				bytes += e.cost()
			}
			if o.take(e) {
				answer(o.q, o.page)
			}
		}
		if bytes >= togetherBytes {
			return p.Number, nil
		}
	}
	return 0, nil
}

// take adds to a page, and reports whether it is full.
func (o *reader) take(e *event) (full bool) {
	p := o.page
	p.events = append(p.events, e)
	o.bytes += len(e.p.Data)
	if full = o.bytes >= pageBytes || len(p.events) == o.r.Limit; full {
		p.upTo, o.done = e.p.Number, true
	}
	return full
}

// reachBack makes r a range also for one who stands further behind.
func (r *Range) reachBack(after uint64, taken time.Time) {
	r.After = min(r.After, after)
	if taken.Before(r.Taken) {
		r.Taken = taken
	}
}

// A placeQuestion asks for places.
type placeQuestion struct {
	n     *Node
	reads []firstRead
	share int
}

func (a *placeQuestion) alone(ctx context.Context) any { return a.n.places(ctx, a.reads, a.share) }

// joins: with positions of channels all there is to ask is whether there is a gap.
func (a *placeQuestion) joins() (kind, uint64) {
	n, least := a.n, uint64(noNumber)
	for i := range a.reads {
		f := &a.reads[i]
		if !f.from.told || isPattern(f.name) || f.from.at.epoch != n.epoch.Load() || !n.keepsHistory(f.name) {
			return kind{}, 0
		}
		part := n.spanOf(f.name).from
		number := f.from.at.in(part, n.parts)
		if number > n.postedIn(part) {
			return kind{}, 0
		}
		least = min(least, number)
	}
	return kind{what: "place"}, least
}

// A stands says where one stands in a channel of a partition.
type stands struct {
	f      *foundPlaces
	number uint64
}

// together answers those for whom there is no gap.
func (a *placeQuestion) together(ctx context.Context, all []*inquiry, answer func(*inquiry, any)) (again int) {
	n := a.n
	found, by := make([]*foundPlaces, len(all)), map[string][]stands{}
	ranges := make([]Range, n.parts)
	for part := range ranges {
		ranges[part] = Range{Partition: part, Epoch: n.epoch.Load(), After: noNumber, Taken: time.Now()}
	}
	for i, q := range all {
		found[i] = &foundPlaces{}
		for _, f := range q.question.(*placeQuestion).reads {
			part := n.spanOf(f.name).from
			number := f.from.at.in(part, n.parts)
			found[i].list = append(found[i].list, n.placeAt(part, number))
			r := &ranges[part]
			r.reachBack(number, time.Unix(f.from.at.second, 0))
			if by[f.name] == nil {
				r.Channels = append(r.Channels, f.name)
			}
			by[f.name] = append(by[f.name], stands{found[i], number})
		}
	}
	for part := range ranges {
		ranges[part].UpTo = ranges[part].After + 1 // it is for the gaps
	}
	concerned := map[*foundPlaces]bool{}
	for part := range ranges {
		if err := n.gapsTogether(ctx, &ranges[part], by, concerned); err != nil {
			for _, f := range found {
				f.err = err
			}
			break
		}
	}
	for i, q := range all {
		if !concerned[found[i]] {
			answer(q, found[i])
		}
	}
	return 0
}

// gapsTogether finds out whom gaps of a partition concern.
func (n *Node) gapsTogether(ctx context.Context, r *Range, by map[string][]stands, concerned map[*foundPlaces]bool) error {
	if len(r.Channels) == 0 {
		return nil
	}
	for _, err := range n.broker.Read(ctx, r) {
		g, ok := errors.AsType[*GapError](err)
		switch {
		case err == nil:
			continue
		case !ok:
			return err
		}
		for _, at := range by[g.Channel] {
			if at.number < max(g.After, g.Lost) {
				concerned[at.f] = true
			}
		}
	}
	return nil
}
