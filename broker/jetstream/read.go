package jetstream

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A walk is one read of a partition. Each name and pattern is read by itself, a page at a time, and
// they are merged by number; a publication that several of them match comes once. Many names are read together (wide.go).
// It ends with what was the last when it began.
type walk struct {
	b     *Broker
	p     *part
	ctx   context.Context
	r     *longwire.Range
	last  uint64 // the last there was when it began
	end   uint64 // of what is read
	left  int    // of the limit; negative without one
	wants []*want
	gaps  []*longwire.GapError
}

// A want is a channel or pattern that is read.
type want struct {
	name    string
	after   uint64    // all up to it were read
	taken   time.Time // when that was where somebody stood
	known   bool      // what is not kept up to here is no news
	foreign bool      // it stood nowhere: that is a gap
	passed  uint64    // up to here it was told what is lost, or need not be
	only    []uint64  // if not nil, the numbers that are wanted
	among   channels  // if not nil, the channels that are wanted: name is a pattern for all
	page    *page
	i       int // in page
}

// A page of a walk has at most walkMost publications, and of one with many names at least walkLeast.
const (
	walkMost  = 1024
	walkLeast = 16
)

// Read walks what was kept when it was begun.
func (b *Broker) Read(ctx context.Context, r *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	return func(yield func(*longwire.Publication, error) bool) {
		if err := b.read(ctx, r, yield); err != nil {
			yield(nil, err)
		}
	}
}

var errPartition = wire.Errorf(wire.CodeBadRequest, "there is no such partition")

// read reads. It returns nil if yield wants no more.
func (b *Broker) read(ctx context.Context, r *longwire.Range, yield func(*longwire.Publication, error) bool) error {
	if r.Partition < 0 || r.Partition >= len(b.parts) {
		return errPartition
	}
	if b.closing.Load() {
		return errClosed
	}
	p := b.parts[r.Partition]
	if !p.class.KeepsHistory() || len(r.Channels) == 0 {
		return ctx.Err()
	}
	w := &walk{b: b, p: p, ctx: ctx, r: r, left: -1}
	if r.Limit > 0 {
		w.left = r.Limit
	}
	if err := w.begin(); err != nil {
		return err
	}
	return w.merge(yield)
}

// begin finds where each name begins, and reads its first page.
func (w *walk) begin() error {
	s, err := w.b.stateOf(w.ctx, w.p, "")
	if err != nil {
		return err
	}
	w.last, w.end = s.Last, s.Last
	if w.r.UpTo > 0 {
		w.end = min(w.end, w.r.UpTo)
	}
	if many := w.wide(); many != nil {
		w.want(">").among = many
	} else {
		for _, name := range w.r.Channels {
			if !slices.ContainsFunc(w.wants, func(o *want) bool { return o.name == name }) {
				w.want(name)
			}
		}
	}
	for _, n := range w.wants {
		if w.r.Last > 0 {
			err = w.beginLast(n)
		}
		if err == nil {
			err = w.turn(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// want adds a name.
func (w *walk) want(name string) *want {
	n := &want{name: name, after: w.r.After, taken: w.r.Taken, known: w.r.Epoch == 0}
	if !n.known && (w.r.After > w.last || !w.b.record.Load().reaches(w.p.index, w.r.Epoch, w.r.After)) {
		n.after, n.foreign = 0, true
	}
	if n.known {
		n.passed = maxCount // until something is read
	}
	w.wants = append(w.wants, n)
	return n
}

// turn reads the next page of a name. What was lost before it is a gap.
func (w *walk) turn(n *want) (err error) {
	most := walkMost
	if len(w.wants) > 1 {
		most = max(walkLeast, 2*walkMost/len(w.wants))
	}
	switch {
	case n.among != nil && n.after < w.end:
		most = int(min(uint64(most), w.end-n.after))
	case w.left > 0 && n.only == nil && n.among == nil && w.r.From.IsZero():
		most = min(most, w.left)
	}
	n.i = 0
	n.page, err = w.whole(n, func() (*page, error) {
		if !w.r.From.IsZero() && n.page == nil {
			return w.b.fetchSince(w.ctx, w.p, n.name, w.r.From.Add(-clockSlack), most)
		}
		return w.b.fetch(w.ctx, w.p, n.name, n.after+1, most)
	})
	if err == nil && n.among != nil {
		err = w.widen(n)
	}
	if err == nil && !n.known {
		err = w.tellLoss(n)
	}
	n.known = false // from here on it stands where it was read to
	return err
}

// clockSlack is how much later the store may have noted a publication than it was made.
const clockSlack = time.Second

// tellLoss tells a gap if something behind after may be missing.
func (w *walk) tellLoss(n *want) error {
	if n.among != nil {
		return w.tellLosses(n)
	}
	l, err := w.b.lossAfter(w.ctx, w.p, n.name, n.after, n.taken, n.page.matched())
	if err != nil {
		return err
	}
	any := l.any || n.foreign
	n.foreign = false
	if !any {
		return nil
	}
	next := w.last
	if len(n.page.list) > 0 {
		next = min(next, n.page.list[0].Number-1)
	}
	g := &longwire.GapError{Channel: n.name, After: next, Lost: max(next, l.upTo)}
	if wire.IsPattern(n.name) {
		g.Losses = l.sum
	}
	w.gaps = append(w.gaps, g)
	n.passed = next
	return nil
}

// merge gives away what was read, in the order of the numbers.
func (w *walk) merge(yield func(*longwire.Publication, error) bool) error {
	for {
		for _, g := range w.gaps {
			if !yield(nil, g) {
				return nil
			}
		}
		w.gaps = w.gaps[:0]
		next := w.least()
		if w.left == 0 {
			return nil
		}
		if w.tellDamage() {
			continue
		}
		if next == maxCount {
			return nil
		}
		var q *longwire.Publication
		wanted := false
		for _, n := range w.wants {
			if n.next() != next {
				continue
			}
			q = n.page.list[n.i]
			wanted = wanted || n.wants(q)
			n.after, n.taken, n.passed = q.Number, q.Time, q.Number
			if n.i++; n.i == len(n.page.list) && n.page.pending > 0 && n.after < w.end {
				if err := w.turn(n); err != nil {
					return err
				}
			}
		}
		if !wanted || q.Time.Before(w.r.From) {
			continue
		}
		if w.left > 0 {
			w.left--
		}
		if !yield(q, nil) {
			return nil
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
	}
}

// least returns the lowest number that was not given away, maxCount if all were.
func (w *walk) least() uint64 {
	next := uint64(maxCount)
	for _, n := range w.wants {
		next = min(next, n.next())
	}
	if next > w.end {
		return maxCount
	}
	return next
}

func (n *want) next() uint64 {
	if n.i >= len(n.page.list) {
		return maxCount
	}
	return n.page.list[n.i].Number
}

func (n *want) wants(q *longwire.Publication) bool {
	if n.among != nil {
		return n.among[q.Channel]
	}
	if n.only == nil {
		return true
	}
	_, found := slices.BinarySearch(n.only, q.Number)
	return found
}

// beginLast finds the last so many of each channel. The store cannot be read backwards: so all is read
// for its numbers first, and what is wanted of it again.
func (w *walk) beginLast(n *want) error {
	last := map[string][]uint64{}
	at := &want{name: n.name, after: n.after}
	for more := true; more && at.after < w.end; {
		g, err := w.whole(at, func() (*page, error) { return w.b.fetch(w.ctx, w.p, n.name, at.after+1, walkMost) })
		if err != nil {
			return err
		}
		for _, q := range g.list {
			if at.after = q.Number; at.after > w.end {
				break
			}
			list := append(last[q.Channel], q.Number)
			if len(list) == 2*w.r.Last {
				list = append(list[:0], list[w.r.Last:]...)
			}
			last[q.Channel] = list
		}
		more = g.pending > 0 && len(g.list) > 0
	}
	n.only = []uint64{}
	for _, list := range last {
		n.only = append(n.only, list[max(0, len(list)-w.r.Last):]...)
	}
	slices.Sort(n.only)
	if len(n.only) > 0 {
		n.after = max(n.after, n.only[0]-1)
	} else {
		n.after = w.end
	}
	return nil
}
