package longwire

import (
	"sort"
	"time"
)

// A memRing is what is kept of a channel, the oldest first.
type memRing struct {
	buf  []*memEntry // its length is a power of two, or zero
	head int
	n    int
}

func (r *memRing) at(i int) *memEntry { return r.buf[(r.head+i)&(len(r.buf)-1)] }

func (r *memRing) push(e *memEntry) {
	if r.n == len(r.buf) {
		r.resize(max(1, 2*r.n))
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = e
	r.n++
}

func (r *memRing) pop() *memEntry {
	e := r.buf[r.head]
	r.buf[r.head] = nil
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	switch {
	case r.n == 0 && len(r.buf) > 1:
		*r = memRing{}
	case r.n < len(r.buf)/4:
		r.resize(len(r.buf) / 2)
	}
	return e
}

func (r *memRing) resize(size int) {
	buf := make([]*memEntry, size)
	for i := range r.n {
		buf[i] = r.at(i)
	}
	r.buf, r.head = buf, 0
}

// upTo returns how many have at most the given number.
func (r *memRing) upTo(number uint64) int {
	return sort.Search(r.n, func(i int) bool { return r.at(i).number > number })
}

// before returns how many were taken before a time.
func (r *memRing) before(t time.Duration) int {
	return sort.Search(r.n, func(i int) bool { return r.at(i).at >= t })
}

// A memIndex finds the place of a number in the list of entries: of every memChunk
// numbers it knows the first that is kept. It reaches back to the oldest that is
// kept, at 32 bytes for each chunk.
type memIndex struct {
	base   uint64 // chunk of the first place
	places []memPlace
}

// A memPlace is that of a chunk of numbers.
type memPlace struct {
	first *memEntry     // nil if none is kept
	at    time.Duration // when the chunk began
	seq   uint64        // the losses before that
}

const memChunk = 256

func (x *memIndex) add(e *memEntry, seq uint64) {
	c := e.number / memChunk
	if len(x.places) == 0 {
		x.base = c
	}
	if c == x.base+uint64(len(x.places)) {
		x.places = append(x.places, memPlace{at: e.at, seq: seq})
	}
	if p := &x.places[c-x.base]; p.first == nil {
		p.first = e
	}
}

// remove takes out an entry that is still in the list. The last place stays: it
// knows of losses what one begun later would not.
func (x *memIndex) remove(e *memEntry) {
	c := e.number / memChunk
	p := &x.places[c-x.base]
	if p.first != e {
		return
	}
	p.first = nil
	if e.next != nil && e.next.number/memChunk == c {
		p.first = e.next
		return
	}
	for len(x.places) > 1 && x.places[0].first == nil {
		x.places, x.base = x.places[1:], x.base+1
	}
}

// after returns the first entry with a higher number, or nil.
func (x *memIndex) after(number uint64) *memEntry {
	c := max(x.base, (number+1)/memChunk) - x.base
	for ; c < uint64(len(x.places)); c++ {
		for e := x.places[c].first; e != nil; e = e.next {
			if e.number > number {
				return e
			}
		}
	}
	return nil
}

// since returns a number before which all were taken before t.
func (x *memIndex) since(t time.Duration) uint64 {
	i := sort.Search(len(x.places), func(i int) bool { return x.places[i].at >= t })
	if i == 0 || x.base+uint64(i) == 1 {
		return 0
	}
	return (x.base+uint64(i)-1)*memChunk - 1
}

// seqAt returns how many losses there were when a number was given, or less.
func (x *memIndex) seqAt(number uint64) uint64 {
	c := number / memChunk
	if c < x.base || c >= x.base+uint64(len(x.places)) {
		return 0
	}
	return x.places[c-x.base].seq
}

// memLosses are the channels that lost something, the latest last.
type memLosses struct {
	first, last *memChannel
	seq         uint64 // counts losses
}

// add puts ch last.
func (s *memLosses) add(ch *memChannel, at time.Duration) {
	if ch.seq != 0 {
		s.remove(ch)
	}
	s.seq++
	ch.seq, ch.at = s.seq, at
	ch.prev = s.last
	if s.last == nil {
		s.first = ch
	} else {
		s.last.next = ch
	}
	s.last = ch
}

func (s *memLosses) remove(ch *memChannel) {
	if ch.prev == nil {
		s.first = ch.next
	} else {
		ch.prev.next = ch.next
	}
	if ch.next == nil {
		s.last = ch.prev
	} else {
		ch.next.prev = ch.prev
	}
	ch.prev, ch.next, ch.seq = nil, nil, 0
}
