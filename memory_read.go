package longwire

import (
	"context"
	"iter"
	"time"

	"github.com/longwire/longwire/wire"
)

// A memRead is one walk through history. It goes in pages: each is looked up with
// the lock held, and given away without it. It ends at what was the last
// publication when it began. What history loses under its hands, because its taker
// is slow, it tells as a gap before the page from which that is missing.
//
// Channels that are all named are merged from their rings. For a pattern the list
// of all publications is walked, from where the read begins.
type memRead struct {
	m *memory
	r Range

	names    []memWant
	patterns []memWant
	matched  map[*memChannel]bool // for walks with much to compare

	begun  bool
	end    uint64        // the last publication when it began
	cursor uint64        // all up to it were looked at
	since  time.Duration // nothing before it is wanted, if there is a From
	left   int           // of Limit

	// What is known of losses.
	seq    uint64
	forgot uint64

	gaps  []*GapError
	out   []*Publication
	heads []memHead
}

// A memWant is a channel or pattern that is read.
type memWant struct {
	name  string
	after uint64 // those up to it are not wanted
	lost  uint64 // as far as that was told, or need not be
	gap   *GapError
	seq   uint64 // of a pattern, the latest of the losses that it was told of
}

// memPage is how many are given away between two looks.
const memPage = 256

// Read walks what was kept when it was begun.
func (m *memory) Read(ctx context.Context, r *Range) iter.Seq2[*Publication, error] {
	return func(yield func(*Publication, error) bool) {
		if !m.Keeps("") {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
			}
			return
		}
		rd := m.newRead(r)
		for more := true; more; {
			var err error
			if more, err = rd.page(ctx); err != nil {
				yield(nil, err)
				return
			}
			if !rd.give(yield) {
				return
			}
		}
	}
}

func (m *memory) newRead(r *Range) *memRead {
	rd := &memRead{m: m, r: *r, left: r.Limit}
	seen := make(map[string]bool, len(r.Channels))
	for _, c := range r.Channels {
		switch {
		case seen[c]:
		case wire.IsPattern(c):
			rd.patterns = append(rd.patterns, memWant{name: c})
		default:
			rd.names = append(rd.names, memWant{name: c})
		}
		seen[c] = true
	}
	return rd
}

// page looks up the next page. It returns false if there is none after it.
func (rd *memRead) page(ctx context.Context) (more bool, err error) {
	if rd.r.Partition != rd.m.partition {
		return false, errMemPartition
	}
	clear(rd.out)
	rd.out = rd.out[:0]
	rd.noGaps()
	for more = true; more && len(rd.out) < memPage; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if more, err = rd.look(); err != nil {
			return false, err
		}
	}
	rd.placeGaps()
	return more, nil
}

// look is what is done of a page at once, with the lock held.
func (rd *memRead) look() (more bool, err error) {
	m := rd.m
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isClosed() {
		return false, errMemClosed
	}
	if !m.log.sweep(m.now(), memHold) {
		return true, nil
	}
	if !rd.begun {
		rd.begun = true
		rd.begin(m.log)
	}
	rd.tellLosses(m.log)
	if len(rd.patterns) > 0 {
		return rd.scan(m.log), nil
	}
	return rd.merge(m.log), nil
}

// give gives a page away.
func (rd *memRead) give(yield func(*Publication, error) bool) bool {
	for _, g := range rd.gaps {
		if !yield(nil, g) {
			return false
		}
	}
	for _, p := range rd.out {
		if !yield(p, nil) {
			return false
		}
	}
	return true
}

// begin finds where to begin.
func (rd *memRead) begin(l *memLog) {
	rd.end = l.last
	if rd.r.UpTo > 0 {
		rd.end = min(rd.end, rd.r.UpTo)
	}
	switch {
	case rd.r.Epoch == 0:
		rd.cursor = rd.r.After
		rd.knowLosses(l)
	case rd.r.Epoch != rd.m.epoch || rd.r.After > l.last:
		rd.foreign(l)
	default:
		rd.cursor = rd.r.After
		rd.seq = l.index.seqAt(rd.r.After)
	}
	if !rd.r.From.IsZero() {
		rd.beginAt(l)
	}
	if rd.r.Last > 0 {
		rd.beginLast(l)
	}
}

// beginAt finds where those begin that may have been published at From or later.
func (rd *memRead) beginAt(l *memLog) {
	rd.since = rd.r.From.Sub(rd.m.start.Round(0)) - rd.m.lead
	if len(rd.patterns) > 0 {
		rd.cursor = max(rd.cursor, l.index.since(rd.since))
		return
	}
	for i := range rd.names {
		n := &rd.names[i]
		if ch := l.channels[n.name]; ch != nil {
			if k := ch.kept.before(rd.since); k > 0 {
				n.after = ch.kept.at(k - 1).number
			}
		}
	}
}

// beginLast finds where the last of each channel begin. Those of patterns are found
// on the way.
func (rd *memRead) beginLast(l *memLog) {
	for i := range rd.names {
		n := &rd.names[i]
		if ch := l.channels[n.name]; ch != nil && ch.kept.n > rd.r.Last {
			n.after = max(n.after, ch.kept.at(ch.kept.n-rd.r.Last-1).number)
		}
	}
}
