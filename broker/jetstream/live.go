package jetstream

import (
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/longwire/longwire"
)

// Channels without history: with a server inside the teller tells of what is published when its turn comes. With
// a cluster it goes to all nodes by subjects that no stream has, and comes back to this one the same way, so
// that all hear it in one order; who is away at the time misses it.

// sendLive publishes to a channel without history.
func (b *Broker) sendLive(q *longwire.Publication, body []byte) error {
	if b.cluster == nil {
		return nil
	}
	if err := b.writes.nc.Publish(b.opts.liveSubject()+q.Channel, body); err != nil {
		return unsent(err)
	}
	return nil
}

// hearLive begins to hear what is published to channels without history, if there are any.
func (b *Broker) hearLive() error {
	for _, p := range b.parts {
		if p.class.KeepsHistory() {
			continue
		}
		if _, err := b.cluster.hears.nc.Subscribe(b.opts.liveSubject()+">", func(m *nats.Msg) { b.feed(fed{m: m}) }); err != nil {
			return b.unreachable(err)
		}
		return b.cluster.hears.nc.Flush()
	}
	return nil
}

// live notes what was heard, to be told. By the teller.
func (b *Broker) live(m *nats.Msg) {
	q := &longwire.Publication{Channel: strings.TrimPrefix(m.Subject, b.opts.liveSubject()), Epoch: b.era.epoch()}
	p := b.parts[b.layout.Partition(q.Channel)]
	q.Partition = p.index
	if p.class.KeepsHistory() || parsePublication(q, m.Data) != nil {
		return // of a node with other classes
	}
	p.news = append(p.news, q)
}
