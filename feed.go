package longwire

import (
	"context"
	"log/slog"
	"math/bits"
	"sync"
	"time"

	"github.com/longwire/longwire/wire"
)

// The feed is the way of publications from the broker to the hubs. Each partition
// tells one batch after the other, in the order of its numbers; the feed puts them all
// into one order (marks.go).
type feed struct {
	mu sync.Mutex // one batch at a time
	// Guarded by mu.
	begun  span    // partitions that have begun: those before its end
	early  []Feed  // told by some before all have
	head   marks   // the last of each partition
	lists  []*list // of one publication
	locked uint64  // hubs that are locked
	woken  uint64  // hubs that have something new
}

// maxHubs is the number of bits in feed's sets; a node has no more hubs.
const maxHubs = 64

// follow hears the broker until ctx ends. A feed that ends before that is not begun
// again: what it missed nobody knows here, and a broker that can lose its followers
// sees to them itself.
func (n *Node) follow(ctx context.Context, heard chan struct{}) error {
	f := &feed{}
	err := n.broker.Follow(ctx, func(b Feed) {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch {
		case f.begun.to == n.parts:
			n.hear(f, b)
		case !b.begins():
			f.early = append(f.early, b)
		default:
			f.head[b.Partition] = b.Last
			n.earlier[b.Partition].Store(&b.Earlier)
			if f.begun.to++; f.begun.to == n.parts {
				n.begin(f, b.Epoch)
				for _, h := range n.hubs { // nothing runs on them yet
					h.reach(n.frontier())
				}
				n.hearEarly(f)
				close(heard)
			}
		}
	})
	select {
	case <-heard:
		if ctx.Err() == nil {
			n.forsaken(err)
		}
	default: // New says it
	}
	return err
}

// begins reports whether a partition begins, maybe again.
func (b *Feed) begins() bool { return len(b.Publications) == 0 && len(b.Forgotten) == 0 }

// forsaken logs that the broker tells nothing more while the node runs.
func (n *Node) forsaken(err error) {
	if err == nil {
		n.log.Error("longwire: the broker was closed before its node; close the node first. Its sessions hear of no publication any more")
		return
	}
	n.log.Error("longwire: the broker's feed ended, and the node's sessions hear of no publication any more; see to the broker, then start this node again",
		slog.Any("err", err))
}

// begin notes where the feed begins, once all partitions have told.
func (n *Node) begin(f *feed, epoch uint32) {
	n.epoch.Store(epoch)
	var base *marks
	last := f.head[0]
	if n.several() {
		last, base = 0, new(f.head)
		for _, number := range f.head {
			last += number // so there are places for all that was before
		}
	}
	n.looking.Store(last)
	if n.several() {
		n.stand(last, base)
	} else {
		n.posted.Store(last)
	}
	n.recent.begin(last, base)
}

// hearEarly hears what was told before all partitions had begun.
func (n *Node) hearEarly(f *feed) {
	for _, b := range f.early {
		n.hear(f, b)
	}
	f.early = nil
}

// hear posts publications to the hubs that have subscribers for them. The order
// of its steps is what makes subscribing exact: a publication is in the recent
// window before its number is in looking, that before the index is asked, and posted
// says that it is with all hubs concerned.
func (n *Node) hear(f *feed, b Feed) {
	if b.begins() {
		n.restart(f, b)
		return
	}
	for _, p := range b.Publications {
		e := n.next(f, p)
		if !e.loose() {
			n.recent.add(e)
			n.looking.Store(e.number)
		}
		f.lists = n.index.match(p.Channel, f.lists[:0])
		if len(f.lists) > 0 {
			n.post(f, e)
		}
	}
	if len(b.Forgotten) > 0 {
		n.recent.forget()
	}
	if n.several() {
		n.stand(n.looking.Load(), &f.head)
	} else {
		n.posted.Store(b.Last)
	}
	for s := f.woken; s != 0; s &= s - 1 {
		n.hubs[bits.TrailingZeros64(s)].wake()
	}
	f.woken = 0
}

// next makes the next event.
func (n *Node) next(f *feed, p *Publication) *event {
	if !n.several() {
		e := newEvent(p)
		if e.loose() {
			e.number = n.looking.Load()
		}
		return e
	}
	number := n.looking.Load()
	if p.Number > 0 {
		f.head[p.Partition] = p.Number
		number++
	}
	return n.eventIn(p, number, new(f.head))
}

// restart begins a partition again, whose store has lost what was told. Nobody's place means
// anything any more, so all links end: whoever comes back is told by the broker what it has missed.
func (n *Node) restart(f *feed, b Feed) {
	n.log.Warn("longwire: the broker has lost publications; all clients come back, and are told of gaps", slog.Int("partition", b.Partition))
	f.head[b.Partition] = b.Last
	n.earlier[b.Partition].Store(&b.Earlier)
	n.begin(f, b.Epoch)
	for _, h := range n.hubs {
		h.loop.PostTask(effect(func(time.Time) { h.restart() }))
	}
}

// post puts one publication into the queues of hubs: for all lists of one hub
// at once, so that a hub never takes a part of them.
func (n *Node) post(f *feed, e *event) {
	f.locked = 0
	for _, l := range f.lists {
		h := l.hub
		if bit := uint64(1) << h.loop.Index(); f.locked&bit == 0 {
			f.locked |= bit
			h.mu.Lock()
		}
		h.put(entry{l, e.message(l.topic), e.number, e})
	}
	f.woken |= f.locked
	for s := f.locked; s != 0; s &= s - 1 {
		n.hubs[bits.TrailingZeros64(s)].mu.Unlock()
	}
}

// An event is a publication as it leaves: the frames of its messages, made once
// for those who are subscribed to the channel, and once for each pattern.
type event struct {
	// Immutable.
	p        *Publication
	number   uint64   // its place in the order
	marks    *marks   // where somebody stands who has it and all before it; nil with one partition
	position Position // of that; empty without a place

	mu sync.Mutex
	// Guarded by mu.
	tail     []byte   // of each frame
	plain    *Message // nil until somebody needs it
	patterns []subMessage
}

type subMessage struct {
	sub string
	m   *Message
}

// newEvent makes an event with one partition.
func newEvent(p *Publication) *event {
	return &event{p: p, number: p.Number, position: p.Position()}
}

// eventIn makes an event. With several partitions, one without marks has no place in the
// order.
func (n *Node) eventIn(p *Publication, number uint64, m *marks) *event {
	if !n.several() {
		return newEvent(p)
	}
	e := &event{p: p, number: number, marks: m}
	if m != nil {
		e.position = formatMarks(n.epoch.Load(), m, n.parts, p.Time)
	}
	return e
}

// loose reports whether a publication has no number: its channel has no history, so it is
// told to those who are live, and waits a little for those who are not (waiting.go).
func (e *event) loose() bool { return e.p.Number == 0 }

// message returns the message for the subscribers of a topic.
func (e *event) message(t *topic) *Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !t.pattern() {
		if e.plain == nil {
			e.plain = e.frame("")
		}
		return e.plain
	}
	for _, s := range e.patterns {
		if s.sub == t.name {
			return s.m
		}
	}
	m := e.frame(t.name)
	e.patterns = append(e.patterns, subMessage{t.name, m})
	return m
}

// frame makes the message for a subscription by pattern, or by name if sub is
// empty. With mu held.
func (e *event) frame(sub string) *Message { return e.frameAt(sub, e.position, e.position) }

// frameAt is frame for somebody who stands at one position with the subscription, and at another
// with everything. With mu held.
func (e *event) frameAt(sub string, at, whole Position) *Message {
	p := e.p
	if e.tail == nil {
		e.tail = wire.AppendMessageTail(make([]byte, 0, len(p.Data)+96), wire.Type(p.Kind), p.ContentType, p.Data, p.Time, p.From, p.Headers)
	}
	b := make([]byte, 0, len(e.tail)+len(p.Channel)+len(sub)+len(at)+64)
	b = wire.AppendMessageHead(b, p.Channel, string(at), sub)
	return NewMessageAt(JSON, append(b, e.tail...), whole)
}
