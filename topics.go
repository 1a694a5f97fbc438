package longwire

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/longwire/longwire/wire"
)

// Topics is one shard of an index: a hash table of topics that is read without a
// lock. With 19,000 it takes 16 bytes for each; Go's map would take 46 and need a
// lock, sync.Map 120.
//
// A table is groups of one cache line: seven topics with a byte of each one's hash,
// so that looking for what is not there reads one line. What finds no place in its
// group goes to the next one, and is counted in those it passed, so that lookups
// know when to stop although topics come and go in any order. A topic never moves
// within a table. Growing and shrinking make a new one, which takes the old one's
// place in one step; who reads the old one sees the moment before.
type topics struct {
	table atomic.Pointer[table]

	mu sync.Mutex
	n  int // guarded by mu
}

type table struct{ groups []group } // a power of two of them

type group struct {
	tags   atomic.Uint64 // a byte for each place: its topic's tag, or zero; then the count of those that passed
	places [places]atomic.Pointer[topic]
}

const (
	places = 7
	// A table is at most 6/7 full, so that few topics pass a group, and grows to twice
	// its size. It shrinks when 1/7 is in use.
	fullest, emptiest = 6, 1

	tagHigh = 0x0080_8080_8080_8080
	tagLow  = 0x0001_0101_0101_0101
	passed  = 1 << (8 * places) // one topic that passed
	passes  = 0xff * passed     // at this count nobody counts any more
)

// A key says which topic is looked for: a name, or what stands for a name in a pattern.
type key struct {
	name   string
	stars  uint32 // tokens of the name for which the topic has *
	tail   bool   // the topic ends with >, for the tokens from size on
	size   int
	starts [wire.MaxTokens + 1]uint16 // of the tokens in name, unless it is all that is looked for; the last ends before the next start
}

// is reports whether the topic is the one that is looked for.
func (k *key) is(t *topic) bool {
	if k.stars == 0 && !k.tail {
		return t.name == k.name
	}
	return k.isPattern(t.name)
}

// tag returns a topic's byte in its group. It is never zero.
func tag(hash uint64) uint64 { return hash>>57 | 0x80 }

// home returns the group where the search begins. The low bits chose the shard.
func (t *table) home(hash uint64) int { return int(hash/shards) & (len(t.groups) - 1) }

func (t *table) next(i int) int { return (i + 1) & (len(t.groups) - 1) }

// find returns a topic, or nil. Any goroutine.
func (s *topics) find(hash uint64, k *key) *topic {
	t := s.table.Load()
	if t == nil {
		return nil
	}
	want := tag(hash) * tagLow
	i := t.home(hash)
	for range t.groups {
		g := &t.groups[i]
		tags := g.tags.Load()
		for same := zeros(tags ^ want); same != 0; same &= same - 1 {
			// The place may have been given to somebody else since, or to nobody.
			if p := g.places[bits.TrailingZeros64(same)/8].Load(); p != nil && k.is(p) {
				return p
			}
		}
		if tags < passed {
			break
		}
		i = t.next(i)
	}
	return nil
}

// zeros returns the high bit of each place's byte that is zero, and maybe of one
// that is not, above one that is.
func zeros(b uint64) uint64 { return (b&^passes - tagLow) &^ b & tagHigh }

// insert puts in a topic that is not there. With mu held.
func (s *topics) insert(hash uint64, p *topic) {
	t := s.table.Load()
	if t == nil || s.n >= fullest*len(t.groups) {
		t = s.rebuild(t, 2*s.n)
	}
	s.n++
	t.insert(hash, p)
}

func (t *table) insert(hash uint64, p *topic) {
	for i := t.home(hash); ; i = t.next(i) {
		g := &t.groups[i]
		tags := g.tags.Load()
		if free := ^tags & tagHigh; free != 0 {
			place := bits.TrailingZeros64(free) / 8
			g.places[place].Store(p) // before its tag is seen
			g.tags.Store(tags | tag(hash)<<(8*place))
			return
		}
		if tags < passes {
			g.tags.Store(tags + passed)
		}
	}
}

// remove takes out a topic that is there. With mu held.
func (s *topics) remove(hash uint64, p *topic) {
	t := s.table.Load()
	s.n--
	if s.n == 0 {
		s.table.Store(nil)
		return
	}
	t.remove(hash, p)
	if s.n < emptiest*len(t.groups) {
		s.rebuild(t, 2*s.n)
	}
}

func (t *table) remove(hash uint64, p *topic) {
	for i := t.home(hash); ; i = t.next(i) {
		g := &t.groups[i]
		tags := g.tags.Load()
		for place := range places {
			if g.places[place].Load() == p {
				g.tags.Store(tags &^ (0xff << (8 * place)))
				g.places[place].Store(nil)
				return
			}
		}
		if tags < passes {
			g.tags.Store(tags - passed)
		}
	}
}

// rebuild makes a table with room for n topics of those in t.
func (s *topics) rebuild(t *table, n int) *table {
	size := 1
	for fullest*size < n {
		size *= 2
	}
	b := &table{make([]group, size)}
	if t != nil {
		for p := range t.all() {
			b.insert(hashOf(p.name), p)
		}
	}
	s.table.Store(b)
	return b
}

func (t *table) all() func(yield func(*topic) bool) {
	return func(yield func(*topic) bool) {
		for i := range t.groups {
			for j := range t.groups[i].places {
				if p := t.groups[i].places[j].Load(); p != nil && !yield(p) {
					return
				}
			}
		}
	}
}
