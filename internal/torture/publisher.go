package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/longwire/longwire/wire"
)

// A publisher publishes one after the other. With keys, what has an outcome that nobody knows is tried again until
// it has another; without, it is left behind as one that may have happened. One publisher is one goroutine.
type publisher struct {
	lap    *lap
	number uint16
	keyed  bool
	rng    *rand.Rand
	http   *http.Client // for those that post
	n      uint32
}

// maxPublications bounds what one publisher publishes in a lap.
const maxPublications = 20_000

// next begins another publication. It returns false when there is to be none.
func (p *publisher) next(ctx context.Context) (e Event, ok bool) {
	p.lap.sleep(ctx, time.Duration(p.rng.ExpFloat64()*float64(p.lap.o.Pace)))
	channel := p.lap.channel(p.rng)
	for keeps := p.lap.keeps(channel); keeps > 0 && p.lap.pacing.ahead(channel) > keeps/2 && !p.lap.stopped() && ctx.Err() == nil; {
		p.lap.sleep(ctx, archiveEvery/4)
	}
	if p.lap.stopped() || ctx.Err() != nil || p.n == maxPublications {
		return e, false
	}
	p.n++
	return Event{Who: fmt.Sprint("publisher-", p.number), Keyed: p.keyed, Channel: channel, ID: ID{p.number, p.n}}, true
}

func key(id ID) string { return id.String() }

// posts publishes by POST (docs/protocol.md, section 5.2). Now and then it says again what was acknowledged.
func (p *publisher) posts(ctx context.Context) {
	defer p.http.CloseIdleConnections()
	for {
		e, ok := p.next(ctx)
		if !ok {
			return
		}
		p.lap.publish(ctx, p.http, e)
		if p.keyed && p.rng.IntN(20) == 0 {
			p.lap.publish(ctx, p.http, e)
		}
	}
}

// publish posts until there is an outcome. With a key that is an acknowledgement.
func (l *lap) publish(ctx context.Context, h *http.Client, e Event) {
	for ctx.Err() == nil {
		l.record(e, Begun, "", nil)
		position, err := l.post(ctx, h, e)
		switch {
		case unsent(err): // nothing has happened
		case l.settled(e, position, err):
			return
		}
		l.sleep(ctx, 50*time.Millisecond)
	}
}

func (l *lap) record(e Event, k Kind, position string, err error) {
	if e.Kind, e.Position = k, position; k == Begun {
		l.pacing.begin(e.Channel)
	}
	if err != nil {
		e.Note = err.Error()
	}
	l.h.Record(e)
}

// settled notes the outcome of a try, and reports whether it is the last one.
func (l *lap) settled(e Event, position string, err error) bool {
	refused, _ := errors.AsType[*wire.Error](err)
	switch {
	case err == nil:
		l.record(e, Acked, position, nil)
		return true
	case refused == nil, refused.Code == wire.CodeOutcomeUnknown:
		l.record(e, Unknown, "", err)
		return !e.Keyed
	default:
		l.record(e, Refused, "", err)
		if !refused.Retryable() {
			l.fail(fmt.Errorf("torture: %s was refused for good: %w", e.ID, err))
			return true
		}
		return !e.Keyed
	}
}

// unsent reports whether an error says that no byte reached the server.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func (l *lap) post(ctx context.Context, h *http.Client, e Event) (position string, err error) {
	req, err := l.request(ctx, e.Channel, contentType(typeOf(e.ID)), payload(e.ID))
	if err != nil {
		return "", err
	}
	if e.Keyed {
		req.Header.Set("Idempotency-Key", key(e.ID))
	}
	resp, err := do(h, req, http.StatusOK)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var a struct{ Position string }
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return "", err
	}
	return a.Position, nil
}

func (l *lap) request(ctx context.Context, channel, contentType string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.srv.http+"/channels/"+channel, bytes.NewReader(body))
	if err == nil {
		req.Header.Set("Content-Type", contentType)
	}
	return req, err
}
