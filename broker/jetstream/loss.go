package jetstream

import (
	"context"
	"slices"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Whether somebody who stood at a number misses something is not stored anywhere: the store does not
// say what it dropped. It follows from the reasons that it has to drop anything. After number n nothing of
// a channel was dropped
//
//   - for its count, if at most the class's count of what is kept of it is behind n: one more is kept
//     (for this and the next, limits.go says what holds where they were changed);
//   - for its age, if nothing at all is missing behind n at the front of the stream, or somebody stood at n
//     less than the class's age ago;
//   - for want of room, if what is known to have gone so is not behind n (see noteLoss);
//   - by Forget, if the record does not say so.
//
// And nothing at all was if the publication with number n is the channel's, and kept; or if the next one is: so who goes on from
// where a gap has ended hears of no other.

// A loss is what somebody may miss.
type loss struct {
	any  bool
	upTo uint64 // nothing behind it was lost, as far as that is known; zero if it is not
	sum  uint64 // how many publications of the stream are not kept any more
}

// lossAfter tells what may be lost of a name behind a number, where somebody stood at a time, and of which so
// many that are behind it are kept.
func (b *Broker) lossAfter(ctx context.Context, p *part, name string, after uint64, taken time.Time, matched uint64) (loss, error) {
	s, err := b.stateOf(ctx, p, "")
	if err != nil {
		return loss{}, err
	}
	front, count := b.frontLost(p, s, after, taken)
	l := loss{any: front, upTo: s.First - 1, sum: s.Last - s.Messages}
	if f := b.forgottenOf(name, after); f > 0 {
		l.any, l.upTo = true, max(l.upTo, f)
	}
	if matched > count {
		if err := b.countLoss(ctx, p, name, after, count, s.Last, &l); err != nil {
			return l, err
		}
	}
	if l.any && !wire.IsPattern(name) {
		there, err := b.keptThere(ctx, p, after)
		if err != nil {
			return l, err
		}
		l.any = !slices.Contains(there, name)
	}
	return l, nil
}

// frontLost reports whether what is missing at the front of a stream may concern somebody who stood at a number at a
// time; and how many of a channel may be behind that number while none is missing for its count.
func (b *Broker) frontLost(p *part, s *state, after uint64, taken time.Time) (lost bool, count uint64) {
	forRoom := p.noteLoss(s)
	most, age := b.record.Load().limitsAt(p, s, after)
	return s.First > after+1 && (!young(taken, age) || forRoom > after), uint64(most)
}

// keptThere returns the channels of the publications at a number and right behind it, as far as they are kept: those
// miss nothing.
func (b *Broker) keptThere(ctx context.Context, p *part, after uint64) (list []string, err error) {
	for number := max(after, 1); number <= after+1; number++ {
		q, err := b.fetchOne(ctx, p, number)
		if err != nil {
			return nil, err
		}
		if q != nil {
			list = append(list, q.Channel)
		}
	}
	return list, nil
}

// young reports whether what was true at a time is younger than an age.
func young(taken time.Time, age time.Duration) bool {
	return age <= 0 || !taken.IsZero() && time.Since(taken) < age
}

// countLoss finds out whether a channel has more behind a number than the count that is kept; last is the last there is.
func (b *Broker) countLoss(ctx context.Context, p *part, name string, after, count, last uint64, l *loss) error {
	if !wire.IsPattern(name) {
		l.any = true
		return nil
	}
	channels, err := b.crowded(ctx, p, name, count, last)
	if err != nil {
		return err
	}
	for _, channel := range channels {
		upTo, lost, err := b.lostOf(ctx, p, channel, after, count)
		if err != nil {
			return err
		}
		if lost {
			l.any, l.upTo = true, max(l.upTo, upTo)
		}
	}
	return nil
}

// lostOf tells whether more than a count of what is kept of a channel is behind a number, and up to where nothing
// is kept of that. To find the oldest the store need not look for it, as for what is behind a number it must.
func (b *Broker) lostOf(ctx context.Context, p *part, channel string, after, count uint64) (upTo uint64, lost bool, err error) {
	g, err := b.fetch(ctx, p, channel, 1, 1)
	if err == nil && g.matched() > count+1 && len(g.list) > 0 && g.list[0].Number <= after {
		g, err = b.fetch(ctx, p, channel, after+1, 1) // more are kept than count says: how many of them are behind?
	}
	if err != nil || g.matched() <= count || len(g.list) == 0 {
		return 0, err == nil && g.matched() > count, err
	}
	first := g.list[0].Number
	return first - 1, first > after, nil
}

// recordOverhead is what the store adds to a publication's size, at most.
const recordOverhead = 64

// noteLoss notes what was dropped for want of room, and returns up to where. The store drops the oldest when
// it is full, so it is nearly full as long as nothing else is dropped; it is looked at before each
// read, and every second. How large those were that went this node may not know: another one, or an earlier process,
// has published them.
func (p *part) noteLoss(s *state) uint64 {
	p.mu.Lock()
	largest := p.largest
	p.mu.Unlock()
	p.gone.Lock()
	defer p.gone.Unlock()
	if p.class.Bytes > 0 && s.First > 0 && (nearlyFull(s.Bytes, p.class.Bytes) || s.Bytes+uint64(largest+recordOverhead) > uint64(p.class.Bytes)) {
		p.lost = max(p.lost, s.First-1)
	}
	return p.lost
}

// suspectLoss is for what was dropped while nobody looked: if the stream is nearly full it may have been for
// want of room; better a gap too many.
func (p *part) suspectLoss(s *state) {
	p.gone.Lock()
	defer p.gone.Unlock()
	if nearlyFull(s.Bytes, p.class.Bytes) && s.First > 0 {
		p.lost = max(p.lost, s.First-1)
	}
}

// forgottenOf returns the number up to which something that matches was forgotten, if that is behind a
// number; zero if nothing was.
func (b *Broker) forgottenOf(name string, after uint64) (number uint64) {
	r := b.record.Load()
	if !wire.IsPattern(name) {
		if f := r.Forgotten[name]; f.Number > after {
			return f.Number
		}
		return 0
	}
	for channel, f := range r.Forgotten {
		if f.Number > max(after, number) && wire.Matches(name, channel) {
			number = f.Number
		}
	}
	return number
}

// Forget deletes what is kept of a channel.
func (b *Broker) Forget(ctx context.Context, channel string) error {
	p := b.parts[b.layout.Partition(channel)]
	if !p.class.KeepsHistory() {
		return nil
	}
	s, err := b.stateOf(ctx, p, "")
	if err != nil {
		return err
	}
	oldest := time.Time{}
	if p.class.Age > 0 {
		oldest = time.Now().Add(-p.class.Age)
	}
	// First: from now on it is not read any more, by this node and by others once they are told, whenever it is deleted.
	if err := b.replace(ctx, func(r *record) error { return r.forget(channel, s.Last, oldest) }); err != nil {
		return err
	}
	if err := b.purge(ctx, p, channel, s.Last); err != nil {
		return err
	}
	f := forget{channel, s.Last, make(chan struct{})}
	if !b.post(func() { p.forgets = append(p.forgets, f) }) {
		return errClosed
	}
	select {
	case <-f.told:
		return nil
	case <-b.told:
		return errClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A forget is word for followers that nothing is kept of a channel up to a number. They hear it once they
// were told of all that it had.
type forget struct {
	channel string
	upTo    uint64
	told    chan struct{} // closed then
}

// tellForgotten tells followers what was forgotten. By the teller.
func (b *Broker) tellForgotten(p *part) {
	p.forgets = slices.DeleteFunc(p.forgets, func(f forget) bool {
		if p.last < f.upTo {
			return false
		}
		for _, o := range b.followers {
			o.sink(longwire.Feed{Partition: p.index, Epoch: b.era.epoch(), Last: p.last, Forgotten: []string{f.channel}})
		}
		close(f.told)
		return true
	})
}
