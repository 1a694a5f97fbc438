package longwire

import (
	"context"
	"log/slog"
	"math/bits"
	"sync"

	"github.com/longwire/longwire/wire"
)

// The feed is the way of publications from the broker to the hubs. The broker
// calls it for one batch after the other, in the order of the numbers.
type feed struct {
	lists  []*list // of one publication
	locked uint64  // hubs that are locked
	woken  uint64  // hubs that have something new
	heard  bool    // the first call came
}

// maxHubs is the number of bits in feed's sets; a node has no more hubs.
const maxHubs = 64

// follow hears the broker until ctx ends. A feed that ends before that is not begun
// again: what it missed nobody knows here, and a broker that can lose its followers
// sees to them itself.
func (n *Node) follow(ctx context.Context, heard chan struct{}) error {
	f := &feed{}
	err := n.broker.Follow(ctx, func(b Feed) {
		if !f.heard {
			f.heard = true
			n.begin(b)
			close(heard)
			return // it has no publications
		}
		n.hear(f, b)
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

// forsaken logs that the broker tells nothing more while the node runs.
func (n *Node) forsaken(err error) {
	if err == nil {
		n.log.Error("longwire: the broker was closed before its node; close the node first. Its sessions hear of no publication any more")
		return
	}
	n.log.Error("longwire: the broker's feed ended, and the node's sessions hear of no publication any more; see to the broker, then start this node again",
		slog.Any("err", err))
}

// begin notes where the feed begins.
func (n *Node) begin(b Feed) {
	n.epoch.Store(b.Epoch)
	n.looking.Store(b.Last)
	n.posted.Store(b.Last)
	n.recent.begin(b.Last)
}

// hear posts publications to the hubs that have subscribers for them. The order
// of its steps is what makes subscribing exact: a publication is in the recent
// window before its number is in looking, that before the index is asked, and posted
// says that it is with all hubs concerned.
func (n *Node) hear(f *feed, b Feed) {
	for _, p := range b.Publications {
		e := newEvent(p)
		n.recent.add(e)
		n.looking.Store(p.Number)
		f.lists = n.index.match(p.Channel, f.lists[:0])
		if len(f.lists) > 0 {
			n.post(f, e)
		}
	}
	if len(b.Forgotten) > 0 {
		n.recent.forget()
	}
	n.posted.Store(b.Last)
	for s := f.woken; s != 0; s &= s - 1 {
		n.hubs[bits.TrailingZeros64(s)].wake()
	}
	f.woken = 0
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
		h.put(entry{l, e.message(l.topic), e.p.Number})
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
	position Position

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

func newEvent(p *Publication) *event { return &event{p: p, position: p.Position()} }

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
func (e *event) frame(sub string) *Message {
	p := e.p
	if e.tail == nil {
		e.tail = wire.AppendMessageTail(make([]byte, 0, len(p.Data)+96), wire.Type(p.Kind), p.ContentType, p.Data, p.Time, p.From, p.Headers)
	}
	b := make([]byte, 0, len(e.tail)+len(p.Channel)+len(sub)+len(e.position)+64)
	b = wire.AppendMessageHead(b, p.Channel, string(e.position), sub)
	return NewMessageAt(JSON, append(b, e.tail...), e.position)
}
