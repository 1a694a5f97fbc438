package jetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// The teller is the goroutine that hears acknowledgements, and tells followers and publishers of
// them: followers first, each partition in the order of the numbers. Who else has something to
// do in that order posts it. Close waits for it.
//
// One process is the only one that publishes to the server inside it. So there what is acknowledged is
// what there is, and is told without being read back: a publication costs half of what it does
// with a consumer. If a number is missed, because an acknowledgement was lost with a connection,
// what is missing is read; until it is, publishers are told and followers wait. To a cluster others
// publish, too: there followers hear what feeds bring (feed.go).
func (b *Broker) tell() {
	tick := time.NewTicker(ackLook)
	defer tick.Stop()
	for {
		select {
		case m := <-b.acks:
			b.hear(m)
			rest(b.acks, b.hear)
		case x := <-b.fed():
			b.hearFed(x)
			rest(b.fed(), b.hearFed)
		case <-b.toTell:
		case f := <-b.posted:
			f()
		case <-tick.C:
			b.look()
		case <-b.ended:
			b.endAll()
			return
		}
		for _, p := range b.parts {
			b.tellPart(p)
		}
		if len(b.joining) > 0 {
			b.joinReady()
		}
	}
}

// rest hears what there is already, up to a turn.
func rest[T any](c <-chan T, hear func(T)) {
	for range ackTurn {
		select {
		case x := <-c:
			hear(x)
			continue
		default:
		}
		return
	}
}

const (
	ackTurn = 1024             // what is heard before it is told
	ackLook = time.Second      // how often what is overdue is looked for
	ackTime = 10 * time.Second // after which an acknowledgement is not waited for any more
)

// post has the teller do something. It reports false if there is none any more.
func (b *Broker) post(f func()) bool {
	select {
	case b.posted <- f:
		return true
	case <-b.ended:
		return false
	}
}

// hear hears an acknowledgement.
func (b *Broker) hear(m *nats.Msg) {
	p, count, ok := b.whose(m.Subject)
	if !ok {
		return
	}
	b.heard = b.clock
	a := parseAck(m)
	switch {
	case a.refused != nil:
		p.settle(count, nil, b.refusal(a.refused))
	case a.duplicate:
		b.compare(p, count, a.number)
	default:
		p.acked = max(p.acked, a.number)
		if !p.acknowledge(count, a.number, b.era.epoch()) {
			p.behind = true // nobody waits for it any more; it is there all the same
		}
	}
}

// whose finds the item that an acknowledgement's subject names.
func (b *Broker) whose(subject string) (*part, uint64, bool) {
	rest, ok := strings.CutPrefix(subject, b.inbox)
	index, count, ok2 := strings.Cut(rest, ".")
	i, err1 := strconv.Atoi(index)
	n, err2 := strconv.ParseUint(count, 36, 64)
	if !ok || !ok2 || err1 != nil || err2 != nil || i < 0 || i >= len(b.parts) {
		return nil, 0, false
	}
	return b.parts[i], n, true
}

// acknowledge settles an item that is published. It reports whether somebody waits for it.
func (p *part) acknowledge(count, number uint64, epoch uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	it := p.find(count)
	if it == nil || it.settled {
		return false
	}
	it.p.Partition, it.p.Epoch, it.p.Number = p.index, epoch, number
	it.number = number
	it.settle(it.p, nil)
	return true
}

// An ack is what the stream answered.
type ack struct {
	number    uint64
	duplicate bool
	refused   *apiError
}

var seqMember = []byte(`"seq":`)

// parseAck reads an answer. Mostly it is {"stream":"…","seq":N}.
func parseAck(m *nats.Msg) (a ack) {
	if i := bytes.Index(m.Data, seqMember); i >= 0 && !bytes.Contains(m.Data, []byte(`"error"`)) {
		for _, c := range m.Data[i+len(seqMember):] {
			if c < '0' || c > '9' {
				break
			}
			a.number = a.number*10 + uint64(c-'0')
		}
		a.duplicate = bytes.Contains(m.Data, []byte(`"duplicate"`))
		return a
	}
	var answer struct {
		Error apiError `json:"error"`
	}
	_ = json.Unmarshal(m.Data, &answer) // what cannot be read is from a server without JetStream
	return ack{refused: &answer.Error}
}

// refusal returns what the publisher hears of an answer that is none.
func (b *Broker) refusal(e *apiError) error {
	switch {
	case e.Description == "":
		return &wire.Error{Code: wire.CodeUnavailable, Message: "the store is not there; nothing was published, try again", Retry: time.Second}
	case b.embedded == nil:
		return refusalOf(e)
	}
	// A store that could not write says nothing at all: the watcher sees it.
	return &wire.Error{Code: wire.CodeUnavailable, Message: "the store refuses it (" + e.Description + "); nothing was published"}
}

// tellPart tells of what was settled since.
func (b *Broker) tellPart(p *part) {
	b.items = p.takeSettled(b.items[:0])
	switch {
	case b.cluster != nil:
		for _, it := range b.items {
			if it.number > 0 {
				p.remember(it.kept)
			}
		}
		b.tellNews(p)
	case len(b.items) > 0 || p.behind:
		b.gather(p)
		if p.behind {
			b.readOn(p)
		}
	}
	if len(p.forgets) > 0 {
		b.tellForgotten(p)
	}
	for _, it := range b.items {
		it.done(it.kept, it.err)
	}
	clear(b.items)
}

// gather tells followers of what is new among the settled.
func (b *Broker) gather(p *part) {
	var told []*longwire.Publication
	for _, it := range b.items {
		switch {
		case it.err != nil:
		case it.number == 0:
			if !p.class.KeepsHistory() {
				told = append(told, it.kept)
			}
		case p.behind || it.number <= p.last:
		case it.number != p.last+1:
			p.behind = true
		default:
			p.last = it.number
			told = append(told, it.kept)
		}
	}
	b.spread(p, told)
}

// tellMost is how many a follower hears at once.
const tellMost = 256

func (b *Broker) spread(p *part, told []*longwire.Publication) {
	for len(told) > 0 {
		n := min(len(told), tellMost)
		for _, f := range b.followers {
			f.sink(longwire.Feed{Partition: p.index, Epoch: b.era.epoch(), Last: lastOf(told[:n], p.last), Publications: told[:n:n]})
		}
		told = told[n:]
	}
}

// lastOf returns the number up to which all is told with these.
func lastOf(told []*longwire.Publication, last uint64) uint64 {
	for i := len(told) - 1; i >= 0; i-- {
		if told[i].Number > 0 {
			return told[i].Number
		}
	}
	return last
}

// readOn tells followers of what they miss, as the stream has it.
func (b *Broker) readOn(p *part) {
	ctx, cancel := context.WithTimeout(b.ctx, askTime)
	defer cancel()
	s, err := b.stateOf(ctx, p, "")
	for err == nil && p.last < s.Last {
		var g *page
		if g, err = b.fetch(ctx, p, ">", p.last+1, tellMost); err != nil {
			break
		}
		if len(g.list) == 0 {
			p.last = max(p.last, s.Last)
			break
		}
		p.last = g.list[len(g.list)-1].Number
		b.spread(p, g.list)
	}
	if err == nil && p.last >= p.acked {
		p.behind = false
	} else if err != nil {
		b.log.Warn("jetstream: what followers miss cannot be read yet; it is tried again", "err", err)
	}
}

// look gives up what is overdue, and tries again what could not be done.
func (b *Broker) look() {
	b.clock++
	if b.cluster != nil {
		b.lookAtFeeds()
	}
	waiting := false
	for _, p := range b.parts {
		waiting = waiting || !p.idle()
	}
	switch {
	case !waiting:
		b.heard = b.clock
	case b.clock-b.heard > int(ackTime/ackLook):
		b.heard = b.clock
		b.giveUp()
	}
}

// giveUp tells all whose publications were sent that nobody knows what became of them.
func (b *Broker) giveUp() {
	for _, p := range b.parts {
		p.unsettle(errUnknown)
	}
}

var errUnknown = wire.Errorf(wire.CodeOutcomeUnknown, "the store did not answer, so this may be published or not; find out, or publish it again with the same key")

// endAll settles what is left at the end.
func (b *Broker) endAll() {
	for _, p := range b.parts {
		p.unsettle(errUnknown)
		b.tellPart(p)
		for _, it := range p.end() {
			it.done(nil, errClosed)
		}
	}
	b.followers = nil
}
