package jetstream

import (
	"bytes"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A key that was used before: the stream says with which number, and what it was is read, because
// other data with the same key is a mistake of the publisher's, who must hear of it. Until then
// those behind it in the partition wait, so that all hear in order.

var errKeyReused = &wire.Error{Code: wire.CodeKeyReused}

// maxCompared is how many are compared at once.
const maxCompared = 16

// compare finds out what became of an item whose key was used before. By the teller, which does not
// wait; the goroutine ends with the broker, and release waits for it.
func (b *Broker) compare(p *part, count, number uint64) {
	p.mu.Lock()
	it := p.find(count)
	if it != nil {
		it.heard = true
	}
	p.mu.Unlock()
	if it == nil {
		return
	}
	b.wg.Go(func() {
		select {
		case b.comparing <- struct{}{}:
			defer func() { <-b.comparing }()
		case <-b.ctx.Done():
			return // endAll settles it
		}
		kept, err := b.first(p, it.p, number)
		b.settle(p, count, kept, err)
	})
}

// first returns the first publication with a key, which is q again.
func (b *Broker) first(p *part, q *longwire.Publication, number uint64) (*longwire.Publication, error) {
	first, err := b.fetchOne(b.ctx, p, number)
	switch {
	case err != nil:
		return nil, err
	case first == nil:
		// Dropped from history before its key was: nobody knows its data any more.
		again := *q
		again.Partition, again.Epoch, again.Number = p.index, b.record.Load().epoch(), number
		return &again, nil
	case first.Kind != q.Kind || first.ContentType != q.ContentType || !bytes.Equal(first.Data, q.Data):
		return nil, errKeyReused
	}
	return first, nil
}
