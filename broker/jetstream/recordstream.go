package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/longwire/longwire/wire"
)

// A recordStream is the keeper of a cluster: a stream of one message, which is replaced by compare-and-set.
// Its number is the record's revision, and a feed brings each new one to all nodes.
type recordStream struct {
	// Immutable.
	b       *Broker
	stream  string
	subject string
}

func (k *recordStream) config() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: k.stream, Subjects: []string{k.subject}, Description: "longwire, the record of the data",
		MaxMsgs: 1, MaxBytes: -1, MaxMsgsPerSubject: -1, Discard: jetstream.DiscardOld, Retention: jetstream.LimitsPolicy,
		Storage: jetstream.FileStorage, Replicas: k.b.opts.Replicas,
		Metadata: map[string]string{mark: strconv.Itoa(recordFormat)},
	}
}

func (k *recordStream) load(ctx context.Context) (*record, error) {
	var answer struct {
		Error   *apiError `json:"error"`
		Message struct {
			Number uint64 `json:"seq"`
			Data   []byte `json:"data"`
		} `json:"message"`
	}
	body, _ := json.Marshal(map[string]string{"last_by_subj": k.subject})
	if err := k.b.request(ctx, "$JS.API.STREAM.MSG.GET."+k.stream, body, &answer); err != nil {
		return nil, err
	}
	switch {
	case answer.Error != nil && answer.Error.Code == apiNoMessage:
		return nil, nil
	case answer.Error != nil:
		return nil, answer.Error.err()
	}
	return revisionOf(answer.Message.Data, answer.Message.Number)
}

func revisionOf(b []byte, revision uint64) (*record, error) {
	r, err := parseRecord(b)
	if err != nil {
		return nil, err
	}
	if len(r.Epochs) == 0 {
		return nil, fmt.Errorf("jetstream: the record of the data has no epoch; restore it from a backup")
	}
	r.revision = revision
	return r, nil
}

func (k *recordStream) store(ctx context.Context, r *record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("jetstream: the record of the data: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	nc := k.b.reads.nc
	if int64(len(body)) > nc.MaxPayload() {
		return wire.Errorf(wire.CodeOverloaded, "so many channels were forgotten of late that the NATS server does not take their list; raise its max_payload, or wait until they are older than any position")
	}
	m := &nats.Msg{Subject: k.subject, Data: body, Header: nats.Header{
		"Nats-Expected-Last-Subject-Sequence": {strconv.FormatUint(r.revision, 10)},
	}}
	answered, err := nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return away(ctx, err)
	}
	var answer struct {
		Error  *apiError `json:"error"`
		Number uint64    `json:"seq"`
	}
	if err := json.Unmarshal(answered.Data, &answer); err != nil {
		return fmt.Errorf("jetstream: the record of the data: %w", err)
	}
	switch {
	case answer.Error != nil && answer.Error.Code == apiWrongLast:
		return errChanged
	case answer.Error != nil:
		return answer.Error.err()
	}
	r.revision = answer.Number
	return nil
}

// takeRecord makes a record the present one, if it is newer. One that this node has not made says what others
// have forgotten, or that they have begun an epoch. By the teller.
func (b *Broker) takeRecord(r *record, own bool) {
	old := b.record.Load()
	if r.revision <= old.revision {
		return
	}
	if !b.fits(r) {
		return
	}
	b.cluster.takes++
	b.record.Store(r)
	if r.epoch() != b.era.epoch() {
		b.repair()
	}
	if !own {
		b.tellForgets(old, r)
	}
}

// tellForgets has followers told of what others have forgotten since a record.
func (b *Broker) tellForgets(old, r *record) {
	for name, f := range r.Forgotten {
		if o := old.Forgotten[name]; o.Number != f.Number || !o.Time.Equal(f.Time) {
			p := b.parts[b.layout.Partition(name)]
			p.forgets = append(p.forgets, forget{name, f.Number, make(chan struct{})})
		}
	}
}

// fits reports whether a record is of this node's layout. If it is not, somebody has begun with other classes,
// and what this node would publish nobody would find.
func (b *Broker) fits(r *record) bool {
	fits, err := r.fits(b.layout)
	if outdated := err != nil || !fits; outdated != b.outdated.Swap(outdated) && outdated {
		b.log.Error("jetstream: nothing is published by this node any more", "err", errOutdated)
	}
	return !b.outdated.Load()
}
