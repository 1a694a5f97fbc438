package longwire

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/longwire/longwire/wire"
)

// Shapes finds the patterns that match a name. The shape of a pattern is where its
// wildcards are: user.42.* and room.7.* have the same. There are few, whatever the
// number of patterns, and each says what the pattern would be that matches a name:
// that is looked up by its hash like any name. So the cost is that of the shapes that
// fit the name, at most 2 to the power of its tokens, and not of the patterns.
//
// A trie of the tokens reads a cold cache line or two for each token of each match when
// there are 100,000 patterns, takes three times as long then, and twice the memory.
//
// Shapes are themselves a trie, of what is at each token. It is read without a lock.
type shapes struct {
	root shape

	mu sync.Mutex // held to change anything
}

// A shape is the beginning of some patterns.
type shape struct {
	ends  atomic.Int32 // patterns that end here
	tails atomic.Int32 // patterns that end here with >
	token atomic.Pointer[shape]
	star  atomic.Pointer[shape]

	// seen has a bit for the hash of each of these beginnings. With few of them most
	// names stop here: so patterns of odd shapes cost little where they do not match. A
	// bit stays when its pattern goes, until all have gone.
	seen atomic.Uint64
}

// isPattern reports whether a valid name is a pattern.
func isPattern(name string) bool {
	return strings.HasSuffix(name, ">") || strings.IndexByte(name, '*') >= 0
}

// The hash of a pattern is made token by token.
var (
	hashStart = maphash.String(seed, "")
	hashStar  = maphash.String(seed, "*")
	hashTail  = maphash.String(seed, ">")
)

// hashToken adds the hash of a token to that of what is before it.
func hashToken(before, token uint64) uint64 {
	hi, lo := bits.Mul64(before^0x9e37_79b9_7f4a_7c15, token|1)
	return hi ^ lo
}

func hashPattern(pattern string) uint64 {
	h := hashStart
	for token := range strings.SplitSeq(pattern, ".") {
		h = hashToken(h, maphash.String(seed, token))
	}
	return h
}

// seenBit returns the bit in seen of what has the hash.
func seenBit(hash uint64) uint64 { return 1 << (hash >> 58) }

func (s *shapes) empty() bool { return s.root.empty() }

func (n *shape) empty() bool {
	return n.token.Load() == nil && n.star.Load() == nil && n.tails.Load() == 0 && n.ends.Load() == 0
}

// next returns the place of what follows n in a pattern.
func (n *shape) next(token string) *atomic.Pointer[shape] {
	if token == "*" {
		return &n.star
	}
	return &n.token
}

// add makes a pattern's shape known.
func (s *shapes) add(pattern string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, h := &s.root, hashStart
	n.seen.Or(seenBit(h))
	for token := range strings.SplitSeq(pattern, ".") {
		if token == ">" {
			n.tails.Add(1)
			return
		}
		h = hashToken(h, maphash.String(seed, token))
		next := n.next(token)
		if next.Load() == nil {
			next.Store(new(shape))
		}
		n = next.Load()
		n.seen.Or(seenBit(h))
	}
	n.ends.Add(1)
}

// remove forgets a pattern that was added.
func (s *shapes) remove(pattern string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.root.remove(pattern)
}

func (n *shape) remove(pattern string) {
	token, rest, more := strings.Cut(pattern, ".")
	if token == ">" {
		n.tails.Add(-1)
		return
	}
	next := n.next(token)
	child := next.Load()
	if more {
		child.remove(rest)
	} else {
		child.ends.Add(-1)
	}
	if child.empty() {
		next.Store(nil)
	}
}

// A walk visits the shapes that fit a name.
type walk struct {
	x      *index
	key    key
	tokens int
	hashes [wire.MaxTokens]uint64
}

func (x *index) matchPatterns(channel string, lists []*list) []*list {
	w := walk{x: x, key: key{name: channel}}
	for token := range strings.SplitSeq(channel, ".") {
		if w.tokens == wire.MaxTokens {
			return lists
		}
		w.key.starts[w.tokens+1] = w.key.starts[w.tokens] + uint16(len(token)+1)
		w.hashes[w.tokens] = maphash.String(seed, token)
		w.tokens++
	}
	return w.visit(&x.shapes.root, 0, hashStart, lists)
}

// visit looks for the patterns whose shape begins with n, which stands for the
// first i tokens; h is the hash of what the pattern begins with.
func (w *walk) visit(n *shape, i int, h uint64, lists []*list) []*list {
	if n == nil || n.seen.Load()&seenBit(h) == 0 {
		return lists
	}
	if i == w.tokens {
		if n.ends.Load() > 0 {
			lists = w.find(h, lists)
		}
		return lists
	}
	if n.tails.Load() > 0 {
		w.key.tail, w.key.size = true, i
		lists = w.find(hashToken(h, hashTail), lists)
		w.key.tail = false
	}
	lists = w.visit(n.token.Load(), i+1, hashToken(h, w.hashes[i]), lists)
	w.key.stars |= 1 << i
	lists = w.visit(n.star.Load(), i+1, hashToken(h, hashStar), lists)
	w.key.stars &^= 1 << i
	return lists
}

func (w *walk) find(h uint64, lists []*list) []*list {
	if t := w.x.find(h, &w.key); t != nil {
		lists = t.appendTo(lists)
	}
	return lists
}

// isPattern reports whether pattern is the one that k describes. What it does next
// depends on k alone, for as long as all is equal: so the processor need not wait for
// the pattern's memory before it asks for that of the next.
func (k *key) isPattern(pattern string) bool {
	at := 0
	for stars := k.stars; stars != 0; stars &= stars - 1 {
		token := bits.TrailingZeros32(stars)
		var ok bool
		if pattern, ok = cutPrefix(pattern, k.name[at:k.starts[token]], '*'); !ok {
			return false
		}
		at = int(k.starts[token+1]) - 1
	}
	if !k.tail {
		return pattern == k.name[at:]
	}
	rest, ok := cutPrefix(pattern, k.name[at:k.starts[k.size]], '>')
	return ok && rest == ""
}

// cutPrefix cuts off what is the same in name and pattern, and the wildcard after it.
func cutPrefix(pattern, same string, wildcard byte) (rest string, ok bool) {
	n := len(same)
	if len(pattern) <= n || pattern[:n] != same || pattern[n] != wildcard {
		return "", false
	}
	return pattern[n+1:], true
}
