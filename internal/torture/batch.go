package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/longwire/longwire/wire"
)

// batches publishes several at once, all to one channel and all with keys (docs/protocol.md, section 5.2). Until each is
// acknowledged the batch is posted again, whole.
func (p *publisher) batches(ctx context.Context) {
	defer p.http.CloseIdleConnections()
	for {
		var batch []Event
		for range 2 + p.rng.IntN(5) {
			e, ok := p.next(ctx)
			if !ok {
				break
			}
			if len(batch) > 0 {
				e.Channel = batch[0].Channel
			}
			batch = append(batch, e)
		}
		if len(batch) == 0 {
			return
		}
		for ctx.Err() == nil && !p.lap.publishBatch(ctx, p.http, batch) {
			p.lap.sleep(ctx, 50*time.Millisecond)
		}
	}
}

// publishBatch posts once, and reports whether all is settled.
func (l *lap) publishBatch(ctx context.Context, h *http.Client, batch []Event) bool {
	var body []byte
	for _, e := range batch {
		l.record(e, Begun, "", nil)
		line := wire.AppendMember(nil, "key", key(e.ID))
		line[0] = '{' // for the comma
		body = append(append(body, wire.AppendData(line, typeOf(e.ID), "", payload(e.ID))...), "}\n"...)
	}
	answers, err := l.postBatch(ctx, h, batch[0].Channel, body)
	if unsent(err) {
		return false
	}
	settled := 0
	for i, e := range batch {
		var position string
		outcome := err
		if i < len(answers) {
			position, outcome = answers[i].Position, answers[i].err()
		}
		if l.settled(e, position, outcome) {
			settled++
		}
	}
	return settled == len(batch)
}

// A batchAnswer is what a batch says of one line.
type batchAnswer struct {
	Position string
	Line     int
	Code     wire.Code
	Message  string
}

func (a *batchAnswer) err() error {
	if a.Line == 0 {
		return nil
	}
	return &wire.Error{Code: a.Code, Message: a.Message}
}

// postBatch returns the answers that came, and an error if those are not all.
func (l *lap) postBatch(ctx context.Context, h *http.Client, channel string, body []byte) (answers []batchAnswer, err error) {
	req, err := l.request(ctx, channel, "application/x-ndjson", body)
	if err != nil {
		return nil, err
	}
	resp, err := do(h, req, http.StatusOK)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for in := bufio.NewReader(resp.Body); ; {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return answers, fmt.Errorf("the answer ends: %w", err)
		}
		var a batchAnswer
		if err := json.Unmarshal(line, &a); err != nil {
			return answers, err
		}
		answers = append(answers, a)
	}
}
