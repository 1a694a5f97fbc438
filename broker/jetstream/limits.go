package jetstream

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/longwire/longwire/wire"
)

// Limits are what a partition was kept by in earlier times. Whoever stands before Until may miss what was
// dropped by them, although those of today would have kept it. They are noted before the stream is changed.
type limits struct {
	Until uint64        `json:"until,omitempty"` // the last number when they were changed
	Count int           `json:"count,omitempty"` // the least there was
	Age   time.Duration `json:"age,omitempty"`   // the least there was; zero is for ever
	Lost  uint64        `json:"lost,omitempty"`  // what had gone for want of room, up to this number
}

// noteLimits notes by what streams that there are kept their publications, where that is to change.
func (b *Broker) noteLimits(ctx context.Context, r *record, olds []*jetstream.StreamInfo) error {
	if fits, err := r.fits(b.layout); err != nil || !fits {
		return err // another layout: no position says anything
	}
	changed := false
	for i, old := range olds {
		if old == nil || old.State.LastSeq == 0 {
			continue
		}
		want := b.streamConfig(b.parts[i])
		if old.Config.MaxMsgsPerSubject == want.MaxMsgsPerSubject && old.Config.MaxAge == want.MaxAge && old.Config.MaxBytes == want.MaxBytes {
			continue
		}
		if r.Limits == nil {
			r.Limits = make([]limits, len(b.parts))
		}
		r.Limits[i].note(old)
		changed = true
	}
	if !changed {
		return nil
	}
	return b.keeper.store(ctx, r)
}

// note adds what a stream is kept by.
func (l *limits) note(old *jetstream.StreamInfo) {
	count := int(old.Config.MaxMsgsPerSubject) - 1
	if l.Until > 0 {
		count = min(count, l.Count)
	}
	l.Count = count
	if age := old.Config.MaxAge; age > 0 {
		l.Age = min(age, cmp.Or(l.Age, age))
	}
	if nearlyFull(old.State.Bytes, old.Config.MaxBytes) {
		l.Lost = max(l.Lost, old.State.FirstSeq-1)
	}
	l.Until = old.State.LastSeq
}

// nearlyFull reports whether something may have been dropped for want of room: better a gap too many.
func nearlyFull(used uint64, most int64) bool { return most > 0 && used > uint64(most)/8*7 }

// limitsAt returns by how many publications and by which age it is judged what somebody misses who stands at a
// number; an age of zero or less is for ever. Another node may have made the stream's stricter than this one's.
func (r *record) limitsAt(p *part, s *state, after uint64) (count int, age time.Duration) {
	count, age = p.class.Count, p.class.Age
	if s.count > 0 {
		count = min(count, s.count-1)
	}
	if s.age > 0 && (age <= 0 || s.age < age) {
		age = s.age
	}
	if len(r.Limits) == 0 || after >= r.Limits[p.index].Until {
		return count, age
	}
	l := r.Limits[p.index]
	if l.Age > 0 && (age <= 0 || l.Age < age) {
		age = l.Age
	}
	return min(count, l.Count), age
}

// checkNew refuses to begin anew where something is kept: without its record nobody knows which channels
// are where.
func (b *Broker) checkNew(ctx context.Context, damage error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	list := b.js.ListStreams(ctx)
	for info := range list.Info() {
		if info.Config.Metadata[mark] == "" || info.State.LastSeq == 0 {
			continue
		}
		if damage == nil {
			damage = &damagedError{"is missing"}
		}
		return wire.Errorf(wire.CodeUnavailable, "%v, and without it what is kept cannot be used; put a backup in its place (longwire restore), or name another directory with --data", damage)
	}
	return b.streamError(list.Err())
}

// checkClasses looks for what JetStream cannot do.
func (b *Broker) checkClasses() error {
	for _, p := range b.parts {
		if age := p.class.Age; age > 0 && age < leastAge {
			return wire.Errorf(wire.CodeBadRequest, "retention class %s keeps its publications for %v, and the least is %v; give it more, or a count of 0 for no history", p.class.Name, age, leastAge)
		}
	}
	return nil
}

// leastAge is JetStream's.
const leastAge = 100 * time.Millisecond

// strays tells of streams that no class has any more: a class was renamed or left out. They are kept as
// long as they say themselves, because a class may come back.
func (b *Broker) strays(ctx context.Context) error {
	list := b.js.ListStreams(ctx)
	for info := range list.Info() {
		known := slices.ContainsFunc(b.parts, func(p *part) bool { return p.stream == info.Config.Name && p.class.KeepsHistory() })
		if !known && strings.HasPrefix(info.Config.Name, b.opts.streams()) && info.Config.Metadata[mark] != "" && info.State.Msgs > 0 {
			b.log.Warn("jetstream: a retention class that there is no more keeps publications; they go when they are as old as it kept them, and come back with its name",
				"stream", info.Config.Name, "publications", info.State.Msgs, "bytes", info.State.Bytes, "age", info.Config.MaxAge)
		}
	}
	return b.streamError(list.Err())
}
