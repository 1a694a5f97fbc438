package longwire

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// An index finds who subscribes to a channel: by its name in a hash table, and by
// all the patterns that match it. Looking up takes no lock and allocates nothing,
// so publishing on one core is not slowed by another; joining and leaving lock a
// 64th part of it.
//
// It knows lists, not subscribers: one for each loop that has any. Who is in a list
// is the business of its loop alone. A lookup that overlaps a join or leave may
// give the state before it or after it.
//
// The zero index is empty and ready.
type index struct {
	shards [shards]topics // by hash; patterns are in them like names
	shapes shapes
}

// seed keeps peers from choosing names that meet in the tables.
var seed = maphash.MakeSeed()

// shards makes loops that connect thousands of sessions at once meet rarely, and
// no loop wait long for one that grows a table.
const shards = 64

// A topic is a name or a pattern that somebody subscribes to. With subscribers on
// one loop it is one piece of 80 bytes with that loop's list in it: many a node has
// a channel for each session. What a lookup reads is in the first 32.
type topic struct {
	name  string
	first list // its peers are the other loops' lists; it stays as their head after it left
}

// A list is the subscribers of one loop to a topic.
type list struct {
	// Of any goroutine.
	peer  atomic.Pointer[list] // the topic's next list; stored with the shard locked
	count atomic.Int32         // subscribers, as add was told; below zero the list has left

	// Owned by the hub's loop.
	next int32 // the fan-out's place in subs
	subs []*sub
	one  [1]*sub // where subs begins: most lists are this long

	// Immutable.
	topic *topic
	hub   *hub
}

// gone is far from zero, so that a late add does not bring a list back.
const gone = -1 << 30

// join returns h's list of a channel or pattern, and makes what is missing. Name is
// copied if it is kept, so it may be part of something larger. It runs on h's loop,
// which then appends to subs and tells add.
//
// A match that begins when join has returned finds the list. Everything that match
// reads is atomic, so this also holds in the order of other atomic variables.
func (x *index) join(name string, h *hub) *list {
	hash := hashOf(name)
	s := &x.shards[hash%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.find(hash, &key{name: name}); t != nil {
		return t.join(h)
	}
	t := &topic{name: strings.Clone(name)}
	t.first.init(t, h)
	s.insert(hash, t)
	if t.pattern() {
		x.shapes.add(t.name)
	}
	return &t.first
}

// leave takes out a list whose last subscriber has gone, for good: a later join
// makes a new one. It runs on the list's loop, once. Publications that have found
// the list before may still come to it.
func (x *index) leave(l *list) {
	t := l.topic
	hash := hashOf(t.name)
	s := &x.shards[hash%shards]
	l.subs, l.one[0], l.next = nil, nil, 0
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.leave(l) {
		return
	}
	s.remove(hash, t)
	if t.pattern() {
		x.shapes.remove(t.name)
	}
}

// add says that n subscribers came, or went if n is negative.
func (x *index) add(l *list, n int) { l.count.Add(int32(n)) }

// match appends the lists of the channel and of all patterns that match it, in no
// order. Any goroutine. The channel must be valid.
func (x *index) match(channel string, lists []*list) []*list {
	if t := x.find(maphash.String(seed, channel), &key{name: channel}); t != nil {
		lists = t.appendTo(lists)
	}
	if x.shapes.empty() {
		return lists
	}
	return x.matchPatterns(channel, lists)
}

func (x *index) find(hash uint64, k *key) *topic { return x.shards[hash%shards].find(hash, k) }

// count returns how many subscriptions a publication to the channel would reach. It
// is a hint. Any goroutine.
func (x *index) count(channel string) (n int) {
	var buf [16]*list
	for _, l := range x.match(channel, buf[:0]) {
		n += max(0, int(l.count.Load()))
	}
	return n
}

func hashOf(name string) uint64 {
	if isPattern(name) {
		return hashPattern(name)
	}
	return maphash.String(seed, name)
}

func (t *topic) pattern() bool { return isPattern(t.name) }

// join finds or makes the list of a hub. With the shard locked.
func (t *topic) join(h *hub) *list {
	for l := &t.first; l != nil; l = l.peer.Load() {
		if l.hub == h && !l.left() {
			return l
		}
	}
	l := new(list)
	l.init(t, h)
	l.peer.Store(t.first.peer.Load())
	t.first.peer.Store(l)
	return l
}

// leave takes out a list and reports whether no list is left. With the shard locked.
func (t *topic) leave(l *list) bool {
	l.count.Store(gone)
	for p := &t.first; p != nil; p = p.peer.Load() {
		if p.peer.Load() == l {
			p.peer.Store(l.peer.Load()) // l keeps its own: a lookup may be standing on it
			break
		}
	}
	return t.first.left() && t.first.peer.Load() == nil
}

// appendTo appends the lists that have not left.
func (t *topic) appendTo(lists []*list) []*list {
	for l := &t.first; l != nil; l = l.peer.Load() {
		if !l.left() {
			lists = append(lists, l)
		}
	}
	return lists
}

func (l *list) init(t *topic, h *hub) {
	l.topic, l.hub = t, h
	l.subs = l.one[:0]
}

func (l *list) left() bool { return l.count.Load() < 0 }
