package jetstream

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// A feed is what a cluster sends of a stream, in the order of the numbers: those of the partitions bring what
// followers are told, one more brings the record. It is a consumer that is not acknowledged, counts
// what it sends, and says so once a second when it sends nothing. Where the count has a hole, where
// nothing comes for a while, or where the connection was made anew, it is broken: what it still brings is not
// heard, and another is begun behind the last number that was told. So nobody misses
// anything, and nobody hears anything twice.
//
// What is not kept any more when its turn comes the cluster leaves out (see merge.go).
//
// nats.go has consumers like this. They have goroutines that ending does not wait for, and one
// that is stopped while the server is away panics (ordered.go, reset).
type feed struct {
	// Immutable.
	stream string
	part   *part // nil: the record

	// Owned by the teller.
	on       bool
	starting bool
	serial   uint64 // of the consumer
	count    uint64 // what it has sent
	heard    int    // when
	sub      *nats.Subscription
}

// What is fed came by a feed; without one it is not kept anywhere.
type fed struct {
	f      *feed
	serial uint64
	m      *nats.Msg
}

const (
	feedBeat = time.Second
	feedLost = 5 // looks at nothing
)

func (b *Broker) fed() chan fed {
	if b.cluster == nil {
		return nil
	}
	return b.cluster.fed
}

// startFeeds begins those that are broken. Like all of these by the teller, which waits for no answer.
func (b *Broker) startFeeds() {
	for _, f := range b.cluster.feeds {
		if f.on || f.starting {
			continue
		}
		f.on, f.starting, f.count, f.heard = true, true, 0, b.clock
		f.serial++
		old, serial, first := f.sub, f.serial, b.record.Load().revision+1
		if f.part != nil {
			first = f.part.last + 1
		}
		b.wg.Go(func() { // stop waits for it
			if old != nil {
				_ = old.Unsubscribe() // which ends the consumer too, after a while
			}
			sub, err := b.consume(f, serial, first)
			b.post(func() { b.started(f, serial, sub, err) })
		})
	}
}

// consume begins a consumer.
func (b *Broker) consume(f *feed, serial, first uint64) (*nats.Subscription, error) {
	subject := nats.NewInbox()
	sub, err := b.cluster.hears.nc.Subscribe(subject, func(m *nats.Msg) { b.feed(fed{f, serial, m}) })
	if err != nil {
		return nil, away(b.ctx, err)
	}
	body, _ := json.Marshal(map[string]any{"stream_name": f.stream, "config": map[string]any{
		"description": "longwire, what a node follows", "deliver_subject": subject,
		"deliver_policy": "by_start_sequence", "opt_start_seq": first,
		"ack_policy": "none", "replay_policy": "instant", "max_deliver": 1,
		"flow_control": true, "idle_heartbeat": feedBeat, "inactive_threshold": 30 * time.Second,
		"num_replicas": 1, "mem_storage": true,
	}})
	var answer struct {
		Error *apiError `json:"error"`
	}
	err = b.request(b.ctx, "$JS.API.CONSUMER.CREATE."+f.stream, body, &answer)
	if err == nil && answer.Error != nil {
		err = answer.Error.err()
	}
	return sub, err
}

// feed has the teller hear something. It waits for that, and so the server does.
func (b *Broker) feed(x fed) {
	select {
	case b.cluster.fed <- x:
	case <-b.ended:
	}
}

func (b *Broker) started(f *feed, serial uint64, sub *nats.Subscription, err error) {
	f.starting, f.sub = false, sub
	if err != nil {
		b.ail(err)
		b.breakFeed(f, serial)
	}
	if !f.on {
		b.repair() // it was broken meanwhile, and could not be begun again then
	}
}

// ail says that feeds cannot be mended yet, once until they are.
func (b *Broker) ail(err error) {
	if !b.cluster.ailing && b.ctx.Err() == nil {
		b.log.Warn("jetstream: followers cannot be told what is new; that is tried again until it works", "err", err)
	}
	b.cluster.ailing = true
}

// breakFeed gives up a feed's consumer, if it is still that one.
func (b *Broker) breakFeed(f *feed, serial uint64) {
	if f.serial == serial {
		f.off()
		b.repair()
	}
}

// off has nothing more heard of a feed; what was not told yet is brought again.
func (f *feed) off() {
	f.on = false
	f.serial++
	if f.part != nil {
		f.part.arrived = nil
	}
}

func (b *Broker) breakFeeds() {
	for _, f := range b.cluster.feeds {
		b.breakFeed(f, f.serial)
	}
}

// lookAtFeeds breaks those that are silent, and mends what could not be.
func (b *Broker) lookAtFeeds() {
	for _, f := range b.cluster.feeds {
		if f.on && !f.starting && b.clock-f.heard > feedLost {
			b.breakFeed(f, f.serial)
		}
	}
	if b.cluster.due {
		b.repair()
	}
}

// hearFed hears what a feed brings.
func (b *Broker) hearFed(x fed) {
	f, m := x.f, x.m
	switch {
	case f == nil:
		b.live(m)
		return
	case x.serial != f.serial:
		return // of a consumer that was given up
	}
	f.heard = b.clock
	if m.Header.Get("Status") != "" {
		b.hearStatus(f, m)
		return
	}
	meta, err := m.Metadata()
	if err != nil || meta.Sequence.Consumer != f.count+1 {
		b.breakFeed(f, f.serial)
		return
	}
	f.count++
	if f.part != nil {
		b.hearPublication(f.part, m, meta)
		return
	}
	r, err := revisionOf(m.Data, meta.Sequence.Stream)
	if err != nil {
		b.log.Error("jetstream: another node has changed the record of the data", "err", err)
		return
	}
	b.takeRecord(r, false)
}

// hearStatus hears what a consumer says of itself.
func (b *Broker) hearStatus(f *feed, m *nats.Msg) {
	if m.Header.Get("Status") != "100" {
		b.breakFeed(f, f.serial)
		return
	}
	// It waits for an answer before it sends more.
	for _, to := range []string{m.Reply, m.Header.Get("Nats-Consumer-Stalled")} {
		if to != "" {
			_ = b.cluster.hears.nc.Publish(to, nil) // a connection that is lost breaks the feed
		}
	}
	sent, err := strconv.ParseUint(m.Header.Get("Nats-Last-Consumer"), 10, 64)
	if err != nil {
		return
	}
	if sent != f.count {
		b.breakFeed(f, f.serial)
		return
	}
	if seen, err := strconv.ParseUint(m.Header.Get("Nats-Last-Stream"), 10, 64); err == nil && f.part != nil && seen > f.part.brought() {
		f.part.arrived = append(f.part.arrived, arrival{number: seen})
	}
}

// hearPublication notes what followers are to be told.
func (b *Broker) hearPublication(p *part, m *nats.Msg, meta *nats.MsgMetadata) {
	q := b.publication(p, m.Subject, meta.Sequence.Stream, m.Data)
	p.arrived = append(p.arrived, arrival{number: meta.Sequence.Stream, q: q, stamp: meta.Timestamp})
}
