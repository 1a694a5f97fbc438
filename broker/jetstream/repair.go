package jetstream

import (
	"context"
	"errors"
	"time"
)

// What was told of a cluster may not be there any more: it was restored from a backup, or has lost what was not
// on its disks, and gives numbers again. Whoever may have missed that, because a connection or a
// consumer was lost, looks: the stream's last number is not lower than the last that was told,
// and that one is still the same publication, as far as it is kept. If not, the node opens the next epoch. The record says
// so to all, and their followers begin again.
//
// In a partition that has lost something nobody knows up to where numbers are what they were, because others may have
// published since. So there the epochs before end at zero: better a gap too many. In the others they end where
// those stand; what is published just then, under the epoch before, is followed by a gap too.

// A standing is where followers of a partition are.
type standing struct {
	number uint64
	stamp  time.Time // when the stream took it; zero if that is not known
}

// A view is what a node has seen when it looked.
type view struct {
	record *record
	states []*state // of the partitions; nil without history
	lost   []bool   // the partition has lost what was told
}

// repair has a goroutine look how things are, and then feeds begun again. By the teller.
func (b *Broker) repair() {
	c := b.cluster
	if c.repairing || b.outdated.Load() {
		c.due = true
		return
	}
	c.repairing, c.due = true, false
	era, takes := b.era, c.takes
	stands := make([]standing, len(b.parts))
	for i, p := range b.parts {
		stands[i] = standing{p.last, p.stamp}
	}
	b.wg.Go(func() { // stop waits for it
		v, err := b.survey(b.ctx, era, stands)
		b.post(func() { b.repaired(v, takes, err) })
	})
}

// repaired goes on from what was seen. By the teller.
func (b *Broker) repaired(v *view, takes int, err error) {
	c := b.cluster
	c.repairing = false
	switch {
	case err != nil:
		b.ail(err)
		c.due = true // the next look tries again
		return
	case c.takes != takes:
		b.repair() // there is a newer record
		return
	}
	c.ailing = false
	b.tellForgets(b.record.Swap(v.record), v.record)
	if v.record.epoch() != b.era.epoch() {
		b.turn(v)
	}
	b.startFeeds()
}

// turn has all followers begin again, in the record's epoch. Where nothing was lost they go on with what follows.
func (b *Broker) turn(v *view) {
	for i, p := range b.parts {
		b.tellNews(p)
		if _, known := v.record.lastOf(i, b.era.epoch()); v.states[i] == nil || known && !v.lost[i] {
			continue
		}
		p.last, p.stamp = v.states[i].Last, time.Time{}
		p.acked = p.last
		p.forgetOwn(len(p.own))
		for j := range p.forgets {
			p.forgets[j].upTo = min(p.forgets[j].upTo, p.last)
		}
		for _, f := range b.cluster.feeds {
			if f.part == p {
				f.off()
			}
		}
	}
	b.log.Warn("jetstream: the NATS server has lost what was told already, or others say so; positions up to there are followed by a gap", "epoch", v.record.epoch())
	b.era = v.record
	for _, o := range b.followers {
		for _, p := range b.parts {
			b.beginFor(o, p)
		}
	}
}

// survey looks where partitions stand, and opens the next epoch if one has lost what was told. Era is the record by
// which followers were told, nil at the beginning.
func (b *Broker) survey(ctx context.Context, era *record, stands []standing) (*view, error) {
	for range changeTries {
		v, err := b.see(ctx, era, stands)
		switch {
		case errors.Is(err, errNoStream):
			if err := b.makeLost(ctx); err != nil {
				return nil, err
			}
		case !errors.Is(err, errChanged):
			return v, err
		}
	}
	return nil, errBusy
}

func (b *Broker) see(ctx context.Context, era *record, stands []standing) (*view, error) {
	r, due, err := b.present(ctx, era)
	if err != nil {
		return nil, err
	}
	v := &view{r, make([]*state, len(b.parts)), make([]bool, len(b.parts))}
	ends := make([]uint64, len(b.parts))
	for i, p := range b.parts {
		if !p.class.KeepsHistory() {
			continue
		}
		if v.states[i], err = b.stateOf(ctx, p, ""); err != nil {
			return nil, err
		}
		if era != nil {
			v.lost[i], err = b.lostSince(ctx, p, v.states[i], stands[i])
		}
		if err != nil {
			return nil, err
		}
		known := uint64(0) // up to where the present epoch is good for what this node has told
		if era != nil {
			known, _ = r.lastOf(i, era.epoch())
		}
		begun := len(r.Epochs) > 0 && v.states[i].Last+1 < r.Epochs[len(r.Epochs)-1].First[i]
		due = due || v.lost[i] && known > 0 || begun
		if v.lost[i] = v.lost[i] || begun; !v.lost[i] {
			ends[i] = v.states[i].Last
		}
	}
	if due {
		r.next(b.layout, ends)
	}
	if due || r.revision == 0 {
		err = b.keeper.store(ctx, r)
	}
	return v, err
}

// present returns the record, or, if that is lost, the one that this node remembers. It reports whether that needs an
// epoch.
func (b *Broker) present(ctx context.Context, era *record) (*record, bool, error) {
	r, err := b.keeper.load(ctx)
	switch {
	case err != nil:
		return nil, false, err
	case r == nil && era == nil:
		return nil, false, errChanged // it was there just now
	case r == nil:
		r = b.record.Load().clone()
		r.revision = 0
		return r, false, nil
	case era == nil:
		changed, err := r.adapt(b.layout)
		return r, changed, err
	case !b.fits(r):
		return nil, false, errOutdated
	}
	return r, false, nil
}

// lostSince reports whether a stream has lost what was told.
func (b *Broker) lostSince(ctx context.Context, p *part, s *state, told standing) (bool, error) {
	if s.Last < told.number {
		return true, nil
	}
	if told.stamp.IsZero() {
		return false, nil
	}
	now, err := b.stampOf(ctx, p, told.number)
	return !now.IsZero() && !now.Equal(told.stamp), err
}

// makeLost makes streams again that are lost.
func (b *Broker) makeLost(ctx context.Context) error {
	if k, ok := b.keeper.(*recordStream); ok {
		if err := b.makeRecordStream(ctx, k.config()); err != nil {
			return err
		}
	}
	return b.makeStreams(ctx, nil)
}
