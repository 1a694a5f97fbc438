package longwire

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// memKeys are the keys of a window, the oldest first. A key remembers a hash of
// what was published and not the data, which may be gone from history before; it is
// a cryptographic one, so nobody can make other data pass for those.
//
// They have a bound in bytes. At it a publication with a key is refused: forgetting an
// older key early would let one be published twice, silently.
type memKeys struct {
	// Immutable.
	window   time.Duration // zero or less: keys mean nothing
	maxBytes int64

	// Guarded by the broker's lock.
	found       map[memKeyID]*memKey
	first, last *memKey
	bytes       int64
}

type memKeyID struct{ channel, key string }

type memSum [sha256.Size]byte

type memKey struct {
	next *memKey
	at   time.Duration
	sum  memSum
	p    Publication // without its data
}

// memKeyCost is what a key costs with its place in the map, in bytes.
const memKeyCost = 288

func newMemKeys(o *MemoryOptions) *memKeys {
	return &memKeys{window: o.KeyWindow, maxBytes: o.side(4), found: map[memKeyID]*memKey{}}
}

func (k *memKey) id() memKeyID { return memKeyID{k.p.Channel, k.p.Key} }

func (k *memKey) cost() int64 {
	return memKeyCost + int64(len(k.p.Channel)+len(k.p.Key)+len(k.p.ContentType)+len(k.p.From)) + memHeaders(k.p.Headers)
}

// use reports whether p has a key that means something.
func (s *memKeys) use(p *Publication) bool { return p.Key != "" && s.window > 0 }

// sumOf hashes what must be the same when a key is used again.
func sumOf(p *Publication) (sum memSum) {
	h := sha256.New()
	head := binary.AppendUvarint([]byte{byte(p.Kind)}, uint64(len(p.ContentType)))
	h.Write(append(head, p.ContentType...))
	h.Write(p.Data)
	h.Sum(sum[:0])
	return sum
}

// find returns the publication that used p's key, with p's data, which is the same.
func (s *memKeys) find(p *Publication, sum *memSum, now time.Duration) (*Publication, error) {
	k := s.found[memKeyID{p.Channel, p.Key}]
	switch {
	case k == nil || now-k.at >= s.window:
		if s.bytes >= s.maxBytes {
			return nil, errMemOverloaded
		}
		return nil, nil
	case k.sum != *sum:
		return nil, errMemKeyReused
	}
	first := k.p
	first.Data = p.Data
	return &first, nil
}

func (s *memKeys) add(p *Publication, sum *memSum, now time.Duration) {
	k := &memKey{at: now, sum: *sum, p: *p}
	k.p.Data = nil
	s.found[k.id()] = k
	if s.last == nil {
		s.first = k
	} else {
		s.last.next = k
	}
	s.last = k
	s.bytes += k.cost()
}

// sweep forgets at most n keys that are too old. It returns true if none such is left.
func (s *memKeys) sweep(now time.Duration, n int) bool {
	for ; s.first != nil && now-s.first.at >= s.window; n-- {
		if n == 0 {
			return false
		}
		k := s.first
		s.first = k.next
		s.bytes -= k.cost()
		if s.found[k.id()] == k { // it may have been used again
			delete(s.found, k.id())
		}
	}
	if s.first == nil && s.last != nil {
		s.last = nil
		s.found = map[memKeyID]*memKey{} // a map does not shrink by itself
	}
	return true
}

// next returns when there will be something to sweep.
func (s *memKeys) next() (at time.Duration, ok bool) {
	if s.first == nil {
		return 0, false
	}
	return s.first.at + s.window, true
}
