package longwire

import (
	"strings"
	"time"
)

// A memLog is the history of a memory broker. Publications are in one list by
// number, which is also by age, and each in its channel's ring. They go at the old
// end of their ring: by age or bytes those at the front of the list, by count any.
// So each goes in constant time.
//
// What is gone is known as a number for each channel: nothing up to it is kept. A
// channel that lost something is in the list of losses, the latest last, for as
// long as somebody may ask who does not know its name, or it has nothing else;
// whatever happened to it before is at or below the number forgot.
//
// Time is how long ago the broker began. All is guarded by the broker's lock.
type memLog struct {
	// Immutable.
	keep     int           // publications of a channel; zero: nothing is added
	age      time.Duration // zero or less: for ever
	maxBytes int64         // negative: no bound
	maxGone  int64

	channels map[string]*memChannel
	last     uint64 // number of the last publication
	forgot   uint64 // the losses of channels that are not known any more are at or below it
	at       time.Duration

	front, back *memEntry
	index       memIndex
	lost        memLosses

	bytes int64 // of all
	gone  int64 // of channels of which nothing is kept

	free  *memEntry // used again, linked by next
	frees int
}

// A memEntry is one publication that is kept.
type memEntry struct {
	prev, next *memEntry
	p          *Publication
	ch         *memChannel
	number     uint64
	at         time.Duration
}

// A memChannel is a channel of which something is kept, or of which it is known
// that something is not.
type memChannel struct {
	name string
	kept memRing
	lost uint64 // nothing up to it is kept

	// The place in the list of losses, if seq is not zero.
	prev, next *memChannel
	seq        uint64
	at         time.Duration
}

// What things cost, in bytes of memory; TestMemoryCost measures it.
const (
	memPublicationCost = 224 // a Publication, its entry, its place in the ring and the index
	memChannelCost     = 160 // a channel and its place in the map
	memHeadersCost     = 320 // the map of a publication's headers
	memHeaderCost      = 32  // two strings

	memFrees = 1024 // entries that are kept to be used again
)

func newMemLog(o *MemoryOptions) *memLog {
	return &memLog{
		keep:     max(0, o.Count+1),
		age:      o.Age,
		maxBytes: o.Bytes,
		maxGone:  o.side(8),
		channels: map[string]*memChannel{},
	}
}

// memCost returns what a publication costs beside its channel.
func memCost(p *Publication) int64 {
	n := memPublicationCost + cap(p.Data) + len(p.ContentType) + len(p.From) + len(p.Key)
	return int64(n) + memHeaders(p.Headers)
}

func memHeaders(h map[string]string) (n int64) {
	if h == nil {
		return 0
	}
	for k, v := range h {
		n += int64(memHeaderCost + len(k) + len(v))
	}
	return n + memHeadersCost
}

func (ch *memChannel) cost() int64 { return int64(memChannelCost + len(ch.name)) }

// add numbers p and keeps it.
func (l *memLog) add(p *Publication, at time.Duration) {
	l.at = max(l.at, at) // whatever the clock does, the list is by age
	l.last++
	ch := l.channel(p.Channel)
	p.Number, p.Channel = l.last, ch.name
	for ch.kept.n >= l.keep {
		l.lose(ch, l.drop(ch))
	}
	l.append(p, ch)
	l.fit()
}

// channel returns a channel, made if need be.
func (l *memLog) channel(name string) *memChannel {
	ch := l.channels[name]
	if ch == nil {
		// The name may be a part of something larger.
		ch = &memChannel{name: strings.Clone(name), lost: l.forgot}
		l.channels[ch.name] = ch
		l.bytes += ch.cost()
		l.gone += ch.cost()
	}
	return ch
}

func (l *memLog) append(p *Publication, ch *memChannel) {
	e := l.entry()
	*e = memEntry{prev: l.back, p: p, ch: ch, number: p.Number, at: l.at}
	if l.back == nil {
		l.front = e
	} else {
		l.back.next = e
	}
	l.back = e
	l.index.add(e, l.lost.seq)
	if ch.kept.n == 0 {
		l.gone -= ch.cost()
	}
	ch.kept.push(e)
	l.bytes += memCost(p)
}

// fit holds the bounds in bytes.
func (l *memLog) fit() {
	for l.maxBytes >= 0 && l.bytes > l.maxBytes && l.front != nil {
		ch := l.front.ch
		l.lose(ch, l.drop(ch))
	}
	for l.gone > l.maxGone && l.lost.first != nil {
		l.forgetLoss()
	}
}

// drop takes out the oldest of a channel and returns its number.
func (l *memLog) drop(ch *memChannel) uint64 {
	e := ch.kept.pop()
	number := e.number
	l.bytes -= memCost(e.p)
	if ch.kept.n == 0 {
		l.gone += ch.cost()
	}
	l.index.remove(e)
	if e.prev == nil {
		l.front = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.back = e.prev
	} else {
		e.next.prev = e.prev
	}
	l.release(e)
	return number
}

// lose notes that nothing of a channel up to number is kept.
func (l *memLog) lose(ch *memChannel, number uint64) {
	ch.lost = number
	l.lost.add(ch, l.at)
}

// forgetLoss takes the oldest loss for one of long ago.
func (l *memLog) forgetLoss() {
	ch := l.lost.first
	l.forgot = max(l.forgot, ch.lost)
	l.lost.remove(ch)
	l.dispose(ch)
}

// expire drops the oldest of all because of its age. Nobody needs to be told
// which channel it was: all up to there are too old.
func (l *memLog) expire() {
	ch := l.front.ch
	ch.lost = l.drop(ch)
	l.forgot = max(l.forgot, ch.lost)
	l.dispose(ch)
}

// dispose forgets a channel of which nothing is kept and nothing to be known.
func (l *memLog) dispose(ch *memChannel) {
	if ch.kept.n > 0 || ch.seq != 0 {
		return
	}
	delete(l.channels, ch.name)
	l.bytes -= ch.cost()
	l.gone -= ch.cost()
	if len(l.channels) == 0 {
		l.channels = map[string]*memChannel{} // a map does not shrink by itself
	}
}

// sweep takes out at most n things that are too old. It returns true if nothing
// such is left.
func (l *memLog) sweep(now time.Duration, n int) bool {
	if l.age < 0 {
		return true
	}
	l.at = max(l.at, now)
	for range n {
		switch {
		case l.front != nil && l.at-l.front.at >= l.age:
			l.expire()
		case l.lost.first != nil && l.at-l.lost.first.at >= l.age:
			l.forgetLoss()
		default:
			return true
		}
	}
	return false
}

// next returns when there will be something to sweep.
func (l *memLog) next() (at time.Duration, ok bool) {
	if l.age < 0 {
		return 0, false
	}
	if l.front != nil {
		at, ok = l.front.at+l.age, true
	}
	if c := l.lost.first; c != nil && (!ok || c.at+l.age < at) {
		at, ok = c.at+l.age, true
	}
	return at, ok
}

// forget drops at most n publications of a channel, none with a higher number than
// upTo. It returns true if there are more.
func (l *memLog) forget(channel string, upTo uint64, now time.Duration, n int) (more bool) {
	ch := l.channels[channel]
	if ch == nil {
		return false
	}
	l.at = max(l.at, now)
	for ; ch.kept.n > 0 && ch.kept.at(0).number <= upTo; n-- {
		if n == 0 {
			return true
		}
		l.lose(ch, l.drop(ch))
	}
	l.fit()
	return false
}

// lostOf returns the number up to which nothing of a channel is kept or known.
func (l *memLog) lostOf(channel string) uint64 {
	if ch := l.channels[channel]; ch != nil {
		return ch.lost
	}
	return l.forgot
}

func (l *memLog) entry() *memEntry {
	e := l.free
	if e == nil {
		return new(memEntry)
	}
	l.free = e.next
	l.frees--
	return e
}

func (l *memLog) release(e *memEntry) {
	*e = memEntry{}
	if l.frees < memFrees {
		e.next, l.free = l.free, e
		l.frees++
	}
}
