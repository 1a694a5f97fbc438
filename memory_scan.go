package longwire

import (
	"slices"

	"github.com/longwire/longwire/wire"
)

// scan walks the list of all publications. It reports whether there are more.
func (rd *memRead) scan(l *memLog) (more bool) {
	e := l.index.after(rd.cursor)
	for range memHold {
		if e == nil || e.number > rd.end {
			rd.cursor = rd.end
			return false
		}
		rd.cursor = e.number
		if rd.matches(e.ch) && rd.wants(e) && rd.isLast(e) {
			if full, more := rd.take(e); full {
				return more
			}
		}
		e = e.next
	}
	return true
}

// merge walks the rings of channels at once, always on in the one whose next
// publication has the lowest number. It reports whether there are more.
func (rd *memRead) merge(l *memLog) (more bool) {
	rd.findHeads(l)
	for n := 0; len(rd.heads) > 0; n++ {
		if n == memHold {
			return true
		}
		h := &rd.heads[0]
		e := h.ring.at(h.i)
		rd.cursor = e.number
		if rd.wants(e) {
			if full, more := rd.take(e); full {
				return more
			}
		}
		if h.i++; !h.until(rd.end) {
			*h = rd.heads[len(rd.heads)-1]
			rd.heads = rd.heads[:len(rd.heads)-1]
		}
		memSift(rd.heads, 0)
	}
	rd.cursor = rd.end
	return false
}

// findHeads makes a heap of the rings that have more.
func (rd *memRead) findHeads(l *memLog) {
	rd.heads = rd.heads[:0]
	for i := range rd.names {
		n := &rd.names[i]
		if ch := l.channels[n.name]; ch != nil {
			h := memHead{&ch.kept, ch.kept.upTo(max(rd.cursor, n.after))}
			if h.until(rd.end) {
				rd.heads = append(rd.heads, h)
			}
		}
	}
	for i := len(rd.heads)/2 - 1; i >= 0; i-- {
		memSift(rd.heads, i)
	}
}

// take takes a publication. If it is the last of the page it reports whether there
// may be more.
func (rd *memRead) take(e *memEntry) (full, more bool) {
	rd.out = append(rd.out, e.p)
	if rd.left > 0 {
		if rd.left--; rd.left == 0 {
			return true, false
		}
	}
	return len(rd.out) == memPage, true
}

func (rd *memRead) wants(e *memEntry) bool {
	return rd.r.From.IsZero() || !e.p.Time.Before(rd.r.From)
}

// isLast reports whether e was one of the last of its channel when the read began.
func (rd *memRead) isLast(e *memEntry) bool {
	kept := &e.ch.kept
	return rd.r.Last <= 0 || kept.upTo(rd.end)-kept.upTo(e.number) < rd.r.Last
}

// fewWants is how many names and patterns are compared with each publication's
// channel rather than remembered for each channel.
const fewWants = 4

func (rd *memRead) matches(ch *memChannel) bool {
	if len(rd.names)+len(rd.patterns) <= fewWants {
		return rd.match(ch.name)
	}
	matched, known := rd.matched[ch]
	if !known {
		if rd.matched == nil {
			rd.matched = map[*memChannel]bool{}
		}
		matched = rd.match(ch.name)
		rd.matched[ch] = matched
	}
	return matched
}

func (rd *memRead) match(channel string) bool {
	return slices.ContainsFunc(rd.names, func(w memWant) bool { return w.name == channel }) ||
		slices.ContainsFunc(rd.patterns, func(w memWant) bool { return wire.Matches(w.name, channel) })
}

// A memHead is where a read is in a ring.
type memHead struct {
	ring *memRing
	i    int
}

func (h *memHead) until(end uint64) bool {
	return h.i < h.ring.n && h.ring.at(h.i).number <= end
}

func (h *memHead) number() uint64 { return h.ring.at(h.i).number }

// memSift puts the i-th of a heap by number into its place.
func memSift(heads []memHead, i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(heads); c++ {
			if heads[c].number() < heads[least].number() {
				least = c
			}
		}
		if least == i {
			return
		}
		heads[i], heads[least] = heads[least], heads[i]
		i = least
	}
}
