package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Of several replicas any may answer a direct read, also one that has not heard of everything yet. So what
// must not be missed is asked of the leader, one message at a time.

// A message is one that was read by itself.
type message struct {
	Subject string    `json:"subject"`
	Number  uint64    `json:"seq"`
	Data    []byte    `json:"data"`
	Stamp   time.Time `json:"time"` // when the stream took it
}

// fetchOne reads the publication with a number; nil if it is not kept.
func (b *Broker) fetchOne(ctx context.Context, p *part, number uint64) (*longwire.Publication, error) {
	m, err := b.getOne(ctx, p, number)
	if m == nil || err != nil {
		return nil, err
	}
	q := b.publication(p, m.Subject, number, m.Data)
	if q != nil && b.record.Load().forgot(q) {
		return nil, nil
	}
	return q, nil
}

// stampOf returns when the stream took the publication with a number, zero if it is not kept.
func (b *Broker) stampOf(ctx context.Context, p *part, number uint64) (time.Time, error) {
	m, err := b.getOne(ctx, p, number)
	if m == nil || err != nil {
		return time.Time{}, err
	}
	return m.Stamp, nil
}

func (b *Broker) getOne(ctx context.Context, p *part, number uint64) (*message, error) {
	if b.opts.Replicas > 1 {
		return b.askLeader(ctx, p, map[string]any{"seq": number})
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	m, err := b.reads.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+p.stream, fmt.Appendf(nil, `{"seq":%d}`, number))
	switch {
	case err != nil:
		return nil, away(ctx, err)
	case m.Header.Get("Status") == "404":
		return nil, nil
	case m.Header.Get("Status") != "":
		return nil, wire.Errorf(wire.CodeUnavailable, "the store answers %q to a read; try again", m.Header.Get("Description"))
	}
	stamp, err := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return nil, fmt.Errorf("jetstream: the time of a message: %w", err)
	}
	return &message{m.Header.Get("Nats-Subject"), number, m.Data, stamp}, nil
}

// askLeader asks the stream's leader for one message; nil if there is none.
func (b *Broker) askLeader(ctx context.Context, p *part, ask map[string]any) (*message, error) {
	body, _ := json.Marshal(ask)
	var answer struct {
		Error   *apiError `json:"error"`
		Message message   `json:"message"`
	}
	if err := b.request(ctx, "$JS.API.STREAM.MSG.GET."+p.stream, body, &answer); err != nil {
		return nil, err
	}
	switch {
	case answer.Error != nil && answer.Error.Code == apiNoMessage:
		return nil, nil
	case answer.Error != nil:
		return nil, answer.Error.err()
	}
	return &answer.Message, nil
}

// staleWait is how long a replica that is behind is given before it, or another, is asked again.
const staleWait = 20 * time.Millisecond

// whole reads a page by fetch until it is not from a replica that has not heard yet of what was the last
// when the walk began.
func (w *walk) whole(n *want, fetch func() (*page, error)) (*page, error) {
	ctx, cancel := context.WithTimeout(w.ctx, askTime)
	defer cancel()
	for {
		g, err := fetch()
		if err != nil || w.b.opts.Replicas <= 1 || g.pending > 0 {
			return g, err
		}
		stale, err := w.stale(n, g)
		if err != nil || !stale {
			return g, err
		}
		select {
		case <-time.After(staleWait):
		case <-ctx.Done():
			return nil, away(w.ctx, context.DeadlineExceeded)
		}
	}
}

// stale reports whether the leader has more than the last page.
func (w *walk) stale(n *want, g *page) (bool, error) {
	subject := w.p.subject + n.name
	if g.last == 0 && n.page == nil && !w.r.From.IsZero() {
		m, err := w.b.askLeader(w.ctx, w.p, map[string]any{"last_by_subj": subject})
		return m != nil && m.Stamp.After(w.r.From), err
	}
	last := max(n.after, g.last)
	if last >= w.end {
		return false, nil
	}
	m, err := w.b.askLeader(w.ctx, w.p, map[string]any{"seq": last + 1, "next_by_subj": subject})
	return m != nil && m.Number <= w.end, err
}
