package jetstream

import (
	"context"
	"time"
)

// Starting again in place: the connections come back by themselves; who published hears
// outcome_unknown if nothing else was heard, and who follows goes on with the number behind the last it was
// told. Nothing is sent meanwhile, so the numbers that the store comes back with can be compared with those
// that were given out. Reads fail as unavailable until it is there.

// restart starts the server inside again. By the watcher.
func (b *Broker) restart() error {
	b.embedded.stop()
	b.sending.Lock()
	defer b.sending.Unlock()
	ctx, cancel := context.WithTimeout(b.ctx, startTime)
	defer cancel()
	if err := b.checkAgain(ctx); err != nil {
		return err
	}
	if err := b.embedded.start(); err != nil {
		return err
	}
	for !b.reads.nc.IsConnected() || !b.writes.nc.IsConnected() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return b.goOn(ctx)
}

// goOn sees to it that no number is given twice.
func (b *Broker) goOn(ctx context.Context) error {
	given, ok := b.given()
	if !ok {
		return errClosed
	}
	last := make([]uint64, len(b.parts))
	fell := false
	for i, p := range b.parts {
		if !p.class.KeepsHistory() {
			continue
		}
		if p.class.Memory {
			if err := b.makeAgain(ctx, p, given[i]); err != nil {
				return err
			}
		}
		s, err := b.stateOf(ctx, p, "")
		if err != nil {
			return err
		}
		if last[i], err = b.whole(ctx, p, s, b.record.Load()); err != nil {
			return err
		}
		fell = fell || last[i] < given[i] && !p.class.Memory
	}
	if fell {
		b.log.Error("jetstream: the store has lost what it had acknowledged; whoever stood behind it is told of a gap")
		b.post(func() { b.beginAgain(last) })
	}
	b.broken.Store(false)
	return nil
}

// given returns the last numbers that anybody may know.
func (b *Broker) given() ([]uint64, bool) {
	answer := make(chan []uint64, 1)
	ok := b.post(func() {
		var list []uint64
		for _, p := range b.parts {
			list = append(list, max(p.last, p.acked))
		}
		answer <- list
	})
	if !ok {
		return nil, false
	}
	return <-answer, true
}

// makeAgain makes the stream of a class in memory, which is gone, and goes on with its numbers: behind those
// that were under way, because somebody may have read them.
func (b *Broker) makeAgain(ctx context.Context, p *part, given uint64) error {
	c := b.streamConfig(p)
	c.FirstSeq = given + maxItems + 1
	if _, err := b.js.CreateStream(ctx, c); err != nil {
		return b.streamError(err)
	}
	p.gone.Lock()
	defer p.gone.Unlock()
	p.lost = c.FirstSeq - 1
	return nil
}

// beginAgain begins an epoch, and tells followers. By the teller.
func (b *Broker) beginAgain(last []uint64) {
	if err := b.replace(b.ctx, func(r *record) error { r.next(b.layout, last); return nil }); err != nil {
		b.log.Error("jetstream: numbers may be given twice", "err", err)
		return
	}
	b.era = b.record.Load()
	for i, p := range b.parts {
		p.last, p.acked = min(p.last, last[i]), min(p.acked, last[i])
		for _, f := range b.followers {
			b.beginFor(f, p)
		}
	}
}
