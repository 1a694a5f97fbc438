package jetstream

import (
	"cmp"
	"slices"
	"time"

	"github.com/longwire/longwire"
)

// What a feed brings has holes where something was dropped before its turn came: a class that keeps the last 3
// of a channel drops all others of ten that are published at once. Those of this node's publishers it has itself,
// and they fill holes; since their acknowledgements come another way, a hole waits until all are heard that
// were under way when it was seen. What is missing then was another node's, or dropped while this one was
// away. Followers hear that as a begin behind it, in the same epoch, because only reading says who misses something.

// An arrival is what a feed brought.
type arrival struct {
	number uint64
	q      *longwire.Publication // nil: nothing is kept, up to the number
	stamp  time.Time
	asOf   uint64 // if there is a hole before it: the count up to which acknowledgements are waited for
}

// How much of one's own is remembered for holes; it is told by the feed in a millisecond or so.
const (
	maxOwn      = 4096
	maxOwnBytes = 16 << 20
)

// remember remembers what a publisher of this node was told, until followers are.
func (p *part) remember(q *longwire.Publication) {
	if q.Number <= p.last {
		return
	}
	i, _ := slices.BinarySearchFunc(p.own, q.Number, byNumber)
	p.own = slices.Insert(p.own, i, q)
	p.ownBytes += len(q.Data)
	for len(p.own) > maxOwn || p.ownBytes > maxOwnBytes {
		p.forgetOwn(1)
	}
}

func byNumber(q *longwire.Publication, number uint64) int { return cmp.Compare(q.Number, number) }

func (p *part) forgetOwn(n int) {
	for _, q := range p.own[:n] {
		p.ownBytes -= len(q.Data)
	}
	clear(p.own[:n])
	p.own = p.own[n:]
}

// brought returns up to where the feed has brought everything.
func (p *part) brought() uint64 {
	if n := len(p.arrived); n > 0 {
		return p.arrived[n-1].number
	}
	return p.last
}

// tellNews tells followers what a feed has brought of a partition, as far as there is no hole.
func (b *Broker) tellNews(p *part) {
	told := 0
	for ; told < len(p.arrived); told++ {
		a := &p.arrived[told]
		if a.number <= p.last {
			continue
		}
		if !b.fill(p, a) {
			break
		}
		p.last, p.stamp = a.number, a.stamp
		if a.q != nil {
			a.q.Epoch = b.era.epoch()
			p.news = append(p.news, a.q)
		}
	}
	clear(p.arrived[:told])
	p.arrived = p.arrived[told:]
	i, _ := slices.BinarySearchFunc(p.own, p.last+1, byNumber)
	p.forgetOwn(i)
	b.spreadNews(p)
}

func (b *Broker) spreadNews(p *part) {
	b.spread(p, p.news)
	p.news = nil // followers may keep it
}

// fill tells of what is missing before an arrival. It reports false if acknowledgements are to be waited for.
func (b *Broker) fill(p *part, a *arrival) bool {
	end := a.number // of the hole
	if a.q == nil {
		end++
	}
	for p.last+1 < end {
		i, own := slices.BinarySearchFunc(p.own, p.last+1, byNumber)
		switch {
		case own:
			p.last++
			p.news = append(p.news, b.inEra(p.own[i]))
			continue
		case !p.waited(a):
			return false
		}
		to := end - 1
		if i < len(p.own) {
			to = min(to, p.own[i].Number-1)
		}
		b.skip(p, to)
	}
	return true
}

// inEra returns a publication in the epoch that followers are told of.
func (b *Broker) inEra(q *longwire.Publication) *longwire.Publication {
	if q.Epoch != b.era.epoch() {
		again := *q // the publisher has the other
		again.Epoch = b.era.epoch()
		return &again
	}
	return q
}

// waited reports whether all are heard that were under way when the hole before an arrival was seen.
func (p *part) waited(a *arrival) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.asOf == 0 {
		a.asOf = p.base + uint64(p.sent)
	}
	return p.base >= a.asOf
}

// skip has followers begin behind a number: what is up to there is not kept any more.
func (b *Broker) skip(p *part, to uint64) {
	b.spreadNews(p)
	p.last, p.stamp = to, time.Time{}
	for _, o := range b.followers {
		b.beginFor(o, p)
	}
}
