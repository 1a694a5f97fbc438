package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/longwire/longwire/wire"
)

// mark is in the metadata of our streams: another's of the same name is left alone.
const mark = "longwire"

// makeStreams makes the streams of all partitions, or changes them to what is wanted. What they were is
// noted in the record, which is nil for new data.
func (b *Broker) makeStreams(ctx context.Context, r *record) error {
	olds := make([]*jetstream.StreamInfo, len(b.parts))
	for i, p := range b.parts {
		if !p.class.KeepsHistory() {
			continue
		}
		var err error
		if olds[i], err = b.findStream(ctx, p); err != nil {
			return err
		}
	}
	if r != nil {
		if err := b.noteLimits(ctx, r, olds); err != nil {
			return err
		}
	}
	for _, p := range b.parts {
		if !p.class.KeepsHistory() {
			continue
		}
		if _, err := b.js.CreateOrUpdateStream(ctx, b.streamConfig(p)); err != nil {
			return b.streamError(err)
		}
	}
	return b.strays(ctx)
}

// makeRecordStream makes the stream of a cluster's record.
func (b *Broker) makeRecordStream(ctx context.Context, c jetstream.StreamConfig) error {
	if _, err := b.ours(ctx, c.Name); err != nil {
		return err
	}
	_, err := b.js.CreateOrUpdateStream(ctx, c)
	return b.streamError(err)
}

// ours returns what there is of a stream, nil if it is to be made. It is an error if it is another's.
func (b *Broker) ours(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	s, err := b.js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, nil
	case err != nil:
		return nil, b.streamError(err)
	case s.CachedInfo().Config.Metadata[mark] == "":
		return nil, wire.Errorf(wire.CodeUnavailable, "the NATS server has a stream named %s that is not longwire's; rename that one, or give longwire an account of its own", name)
	}
	return s.CachedInfo(), nil
}

// findStream returns what there is of a partition's stream, nil if it is to be made.
func (b *Broker) findStream(ctx context.Context, p *part) (*jetstream.StreamInfo, error) {
	info, err := b.ours(ctx, p.stream)
	switch {
	case info == nil || err != nil:
		return nil, err
	case info.Config.Storage == b.streamConfig(p).Storage:
		return info, nil
	case info.State.Msgs > 0: // a stream's storage cannot be changed
		return nil, wire.Errorf(wire.CodeBadRequest, "retention class %s keeps %d publications where it was told to before, and they cannot be moved; leave its \"memory\" as it was, or give the class another name",
			p.class.Name, info.State.Msgs)
	}
	return nil, b.streamError(b.js.DeleteStream(ctx, p.stream))
}

func (b *Broker) streamConfig(p *part) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: p.stream, Subjects: []string{p.subject + ">"}, Description: "longwire, class " + p.class.Name,
		Metadata: map[string]string{mark: strconv.Itoa(recordFormat)},
		MaxMsgs:  -1, MaxBytes: p.class.Bytes, MaxAge: max(0, p.class.Age), MaxMsgsPerSubject: int64(p.class.Count) + 1,
		Discard: jetstream.DiscardOld, Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
		Replicas: b.opts.Replicas, AllowDirect: true, Duplicates: b.window(p),
	}
	if c.MaxBytes < 0 {
		c.MaxBytes = -1
	}
	if p.class.Memory {
		c.Storage = jetstream.MemoryStorage
	}
	return c
}

// window returns how long keys are remembered in a partition. JetStream wants at least 100 ms.
func (b *Broker) window(p *part) time.Duration {
	if p.class.Age > 0 {
		return min(b.opts.KeyWindow, p.class.Age)
	}
	return b.opts.KeyWindow
}

func (b *Broker) streamError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return wire.Errorf(wire.CodeUnavailable, "the NATS server has no JetStream, or not for this account; start it with -js, or enable it for the account (nats account info says what it has)")
	}
	if e, ok := errors.AsType[*jetstream.APIError](err); ok && e.Code == http.StatusInternalServerError {
		return fmt.Errorf("jetstream: making the streams: %w; make room on the store's disk, if it is full", err)
	}
	return fmt.Errorf("jetstream: making the streams: %w", err)
}

// An apiError is what JetStream answers to what it cannot do.
type apiError struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

// What JetStream's errors are numbered.
const (
	apiNoMessage  = 10037
	apiNoStream   = 10059
	apiWrongLast  = 10071
	apiTooLarge   = 10054
	apiNoMemory   = 10028
	apiNoStorage  = 10047
	apiNoResource = 10023
)

var errNoStream = &wire.Error{Code: wire.CodeUnavailable, Message: "the store has lost its streams, which are made again; try again", Retry: time.Second}

// err returns what a reader or a publisher is told of it.
func (e *apiError) err() error {
	if e.Code == apiNoStream {
		return errNoStream
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: fmt.Sprintf("the store answers %q; try again", e.Description), Retry: time.Second}
}

// A state is what a stream says of itself.
type state struct {
	Messages uint64            `json:"messages"`
	Bytes    uint64            `json:"bytes"`
	First    uint64            `json:"first_seq"`
	Last     uint64            `json:"last_seq"`
	LastTime time.Time         `json:"last_ts"`
	Subjects map[string]uint64 `json:"subjects"` // how many of each, if asked for

	count int           // kept of each subject; zero or less is no bound
	age   time.Duration // zero is for ever
}

// askTime is how long the broker may take for a short answer.
const askTime = 5 * time.Second

// stateOf asks a stream, also for the subjects that match, if that is not empty. Answers have
// a bound, so there may be several.
func (b *Broker) stateOf(ctx context.Context, p *part, subjects string) (*state, error) {
	var all *state
	for {
		ask := map[string]any{}
		if subjects != "" {
			ask["subjects_filter"] = subjects
			if all != nil {
				ask["offset"] = len(all.Subjects)
			}
		}
		body, _ := json.Marshal(ask)
		var answer struct {
			Error  *apiError `json:"error"`
			State  state     `json:"state"`
			Total  int       `json:"total"`
			Config struct {
				Count int           `json:"max_msgs_per_subject"`
				Age   time.Duration `json:"max_age"`
			} `json:"config"`
		}
		if err := b.request(ctx, "$JS.API.STREAM.INFO."+p.stream, body, &answer); err != nil {
			return nil, err
		}
		if answer.Error != nil {
			return nil, answer.Error.err()
		}
		if all == nil {
			all = &answer.State
			all.count, all.age = answer.Config.Count, answer.Config.Age
		} else {
			maps.Copy(all.Subjects, answer.State.Subjects)
		}
		if len(answer.State.Subjects) == 0 || len(all.Subjects) >= answer.Total {
			return all, nil
		}
	}
}

// request asks the API.
func (b *Broker) request(ctx context.Context, subject string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	m, err := b.reads.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return away(ctx, err)
	}
	if err := json.Unmarshal(m.Data, answer); err != nil {
		return fmt.Errorf("jetstream: %s: %w", subject, err)
	}
	return nil
}

// away returns what a failed request is: the broker is not there, or not now.
func away(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
		return cause
	}
	return &wire.Error{Code: wire.CodeUnavailable, Message: "the store does not answer (" + err.Error() + "); try again", Retry: time.Second}
}

// purge deletes all that is kept of a channel.
func (b *Broker) purge(ctx context.Context, p *part, channel string, upTo uint64) error {
	body, _ := json.Marshal(map[string]any{"filter": p.subject + channel, "seq": upTo + 1})
	var answer struct {
		Error *apiError `json:"error"`
	}
	if err := b.request(ctx, "$JS.API.STREAM.PURGE."+p.stream, body, &answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return answer.Error.err()
	}
	return nil
}
