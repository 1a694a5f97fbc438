package longwire

import (
	"context"
	"maps"
	"time"

	"github.com/longwire/longwire/wire"
)

// Publish publishes data to a channel, and returns its position once the broker
// has it as safely as it keeps anything. It must not be called on a loop. What a
// client could not publish is refused as a client's is. Errors that cross the
// wire are *[wire.Error]; if ctx ends first, that of ctx, and then it may or may
// not be published.
func (n *Node) Publish(ctx context.Context, channel string, data []byte, o *PublishOptions) (Position, error) {
	p, err := n.publication(channel, data, o)
	if err != nil {
		return "", err
	}
	if p, err = n.publishWait(ctx, p); err != nil {
		return "", err
	}
	return p.Position(), nil
}

// PublishFunc is Publish that never waits: done, which may be nil and must not block,
// hears the outcome, from any goroutine.
func (n *Node) PublishFunc(channel string, data []byte, o *PublishOptions, done func(Position, error)) {
	if done == nil {
		done = func(Position, error) {}
	}
	p, err := n.publication(channel, data, o)
	if err != nil {
		done("", err)
		return
	}
	n.publish(p, func(p *Publication, err error) {
		if err != nil {
			done("", err)
			return
		}
		done(p.Position(), nil)
	})
}

// publication returns what a program publishes, with bytes of its own.
func (n *Node) publication(channel string, data []byte, o *PublishOptions) (*Publication, error) {
	if o == nil {
		o = &PublishOptions{}
	}
	p := &Publication{Channel: channel, Kind: o.Kind, ContentType: o.ContentType, From: o.From, Key: o.Key, Headers: maps.Clone(o.Headers)}
	if err := p.checkBeside(); err != nil {
		return nil, err
	}
	return p, n.fill(p, data)
}

// publish hands a publication to the broker. It never waits.
func (n *Node) publish(p *Publication, done func(*Publication, error)) {
	if n.ending.Load() {
		done(nil, n.goAway(0))
		return
	}
	n.broker.Publish(p, done)
}

// publishWait waits for the broker, and before that for hubs that have much to
// hand out: whoever can wait does not make them fall behind.
func (n *Node) publishWait(ctx context.Context, p *Publication) (*Publication, error) {
	if err := n.calm(ctx); err != nil {
		return nil, err
	}
	type outcome struct {
		p   *Publication
		err error
	}
	c := make(chan outcome, 1)
	n.publish(p, func(p *Publication, err error) { c <- outcome{p, err} })
	select {
	case o := <-c:
		return o.p, o.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// calm waits until no hub has more than half of what it may have waiting. Once the
// node ends nothing is published, and the hubs may be over.
func (n *Node) calm(ctx context.Context) error {
	for _, h := range n.hubs {
		for h.crowded() && !n.ending.Load() {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(time.Millisecond): // a turn or two of the loop
			}
		}
	}
	return nil
}

func (h *hub) crowded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bytes > h.node.opts.bounds.inbox/2
}

// publish publishes for a session and replies on l once the broker has
// acknowledged it. By whoever takes up the session's frames.
func (s *Session) publish(l *line, id uint64, p *Publication) {
	s.node.publish(p, s.acknowledge(l, id, p.Channel).done)
}

// An ack is the answer to a publish frame on its way to the session's loop, or the
// refusal of another that was taken up meanwhile. Those of
// one session are given in order, whatever the broker's: each waits for the one
// before it, and frames of another kind, which are answered at once, are not
// taken up while there are any (mustWait).
type ack struct {
	s       *Session
	l       *line
	id      uint64
	channel string
	p       *Publication
	err     error

	// Owned by the loop, once done was called.
	before *ack // nil if that was given when this was asked for
	next   *ack // waits for this
	given  bool
}

// acknowledge makes the next ack of the session.
func (s *Session) acknowledge(l *line, id uint64, channel string) *ack {
	s.owed.Add(1)
	a := &ack{s: s, l: l, id: id, channel: channel}
	a.before = s.acks.Swap(a)
	return a
}

func (a *ack) done(p *Publication, err error) {
	a.p, a.err = p, err
	a.s.hub.loop.PostTask(a)
}

// Run gives the answer, and those that waited for it.
func (a *ack) Run(now time.Time) {
	if b := a.before; b != nil && !b.given {
		b.next = a
		return
	}
	s := a.s
	for ; a != nil; a = a.next {
		a.give()
		s.acks.CompareAndSwap(a, nil)
	}
	if s.more != nil && s.more.queue != nil {
		s.goOn(now)
	}
}

func (a *ack) give() {
	s := a.s
	a.given, a.before = true, nil
	s.owed.Add(-1)
	if a.err != nil {
		s.refuse(a.l, a.id, s.node.failed(a.err))
	} else {
		b := wire.AppendChannelReply(s.hub.scratch[:0], a.id, a.channel)
		s.reply(a.l, append(wire.AppendMember(b, "position", string(a.p.Position())), '}'))
	}
	s.answered()
}

// mustWait reports whether a frame is not to be taken up while publications
// before it wait for their answers: its own would overtake them.
func (s *Session) mustWait(f *wire.Frame, err error) bool {
	return s.acks.Load() != nil && (err != nil || !early(f.Op))
}

// early reports whether frames of an op may be taken up while publications before
// them wait for their answers: they have none, or it is given by whoever is called,
// or in its turn. That is how they are to be refused then.
func early(op wire.Op) bool {
	switch op {
	case wire.OpPublish, wire.OpCall, wire.OpSend, wire.OpPong:
		return true
	}
	return false
}

// refuseInTurn refuses a frame behind the answers to publications before it.
func (s *Session) refuseInTurn(l *line, id uint64, err error) {
	s.acknowledge(l, id, "").done(nil, err)
}

// answered goes on with a peer that was held back because much was owed to it,
// or that only waited for its answers; also if those were of a link before.
func (s *Session) answered() {
	if l := s.line; l != nil && !l.deaf {
		if l.held {
			s.pace(l)
		}
		l.finish()
	}
}
