package jetstream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/longwire/longwire/wire"
)

// A stream whose end was lost, by a loss of power say, may not say so: its number goes on behind what it had, with
// nothing before it. What is newest is never dropped before what is older, so if the last publication is not there
// and nobody forgot it, the end is lost.

// whole returns the last number up to which nothing was lost in this way: the stream's last, mostly.
func (b *Broker) whole(ctx context.Context, p *part, s *state, r *record) (uint64, error) {
	kept, err := b.lastKept(ctx, p, s)
	if err != nil || kept == s.Last {
		return s.Last, err
	}
	if _, age := r.limitsAt(p, s, s.Last-1); kept == 0 && age > 0 && time.Since(s.LastTime) > age {
		return s.Last, nil // all were too old
	}
	if r.damageIn(p.index, kept, s.Last+1) == s.Last {
		return s.Last, nil // that is noted
	}
	for channel, f := range r.Forgotten {
		if f.Number > kept && b.layout.Partition(channel) == p.index {
			return s.Last, nil
		}
	}
	b.log.Error("jetstream: the end of what was kept is lost; whoever stood behind it is told of a gap", "stream", p.stream, "kept", kept, "last", s.Last)
	return kept, nil
}

// lastKept returns the number of the last publication that is there, zero if there is none.
func (b *Broker) lastKept(ctx context.Context, p *part, s *state) (uint64, error) {
	if s.Messages == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	m, err := b.reads.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+p.stream, fmt.Appendf(nil, `{"last_by_subj":%q}`, p.subject+">"))
	if err != nil {
		return 0, away(ctx, err)
	}
	switch status := m.Header.Get("Status"); {
	case status == "404":
		return 0, nil
	case status != "":
		return 0, wire.Errorf(wire.CodeUnavailable, "the store answers %q", strings.TrimSpace(status+" "+m.Header.Get("Description")))
	}
	return strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
}
