package jetstream

import (
	"context"
	"strings"
	"sync"
)

// A crowd is which of the channels that match a pattern keep more publications than a count. To ask the store takes
// long where there are many channels, and every page that is read by a pattern has to know. So what it said is used
// again as long as nothing can have changed: a channel that was a quarter below the count is not above it before as many
// more were published, to whatever channels. What is nearer to it may be above it, or so no longer; whoever asks looks at each.
type crowd struct {
	epoch    uint32
	count    uint64
	last     uint64   // the last number before the store was asked
	room     uint64   // so many later there may be others
	channels []string // never changed
}

// holds reports whether it has all that are above the count when a number is the last.
func (c *crowd) holds(epoch uint32, count, last uint64) bool {
	return c != nil && c.epoch == epoch && c.count == count && c.last <= last && last-c.last <= c.room
}

// crowds are those of one partition, by pattern.
type crowds struct {
	mu  sync.Mutex
	all map[string]*crowd // guarded by mu
}

// What crowds remember: so many patterns, and none that has more channels.
const (
	maxCrowds = 64
	maxCrowd  = 1024
)

func (c *crowds) find(pattern string) *crowd {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[pattern]
}

func (c *crowds) keep(pattern string, one *crowd) {
	if len(one.channels) > maxCrowd {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= maxCrowds {
		c.all = map[string]*crowd{}
	}
	c.all[pattern] = one
}

// crowded returns channels that match a pattern, among them all that keep more than a count; last is the last number
// that is known.
func (b *Broker) crowded(ctx context.Context, p *part, pattern string, count, last uint64) ([]string, error) {
	epoch := b.record.Load().epoch()
	if c := p.crowds.find(pattern); c.holds(epoch, count, last) {
		return c.channels, nil
	}
	s, err := b.stateOf(ctx, p, p.subject+pattern)
	if err != nil {
		return nil, err
	}
	c := &crowd{epoch: epoch, count: count, last: last, room: count / 4}
	for subject, n := range s.Subjects {
		if n > count-c.room {
			c.channels = append(c.channels, strings.TrimPrefix(subject, p.subject))
		}
	}
	p.crowds.keep(pattern, c)
	return c.channels, nil
}
