package server

import (
	"context"
	"errors"
	"sync"

	"github.com/longwire/longwire"
)

// A sink is where a subscriber hears messages: a *longwire.Conn.
type sink interface {
	SendMessage(m *longwire.Message) error
	SendMessageWait(ctx context.Context, m *longwire.Message) error
}

// An outlet is a connection as its subscriptions share it. What waits for it is
// bounded for all of them together, so a connection costs no more for having
// many.
type outlet struct {
	sink

	mu sync.Mutex
	// Guarded by mu; in all backlogs of the connection.
	messages, bytes int
}

// What may wait for a connection: enough for a burst between two turns of a
// loop. If nothing waits, one message is always taken.
const (
	maxBehind      = 256
	maxBehindBytes = 256 << 10
)

// take reports whether a message of n bytes may wait, and others of no size
// before it, and counts it if so.
func (o *outlet) take(n, others int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.messages+others >= maxBehind || o.messages > 0 && o.bytes+n > maxBehindBytes {
		return false
	}
	o.messages++
	o.bytes += n
	return true
}

// add counts what must wait, or with negative numbers what does no longer.
func (o *outlet) add(messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages += messages
	o.bytes += bytes
}

// A subscription is one subscriber of one channel.
//
// Messages go straight to its connection, as long as that has room. When it has
// none the subscription is behind: messages wait in a backlog, and a goroutine
// feeds the connection as it finds room, until the backlog is empty. The
// backlogs of a connection are bounded together; what does not fit is dropped
// and counted, and a `gap` frame tells how much before the next message
// (docs/protocol.md, section 4.5). So no connection costs more than that, and
// none waits for another.
type subscription struct {
	// Immutable.
	channel    *channel
	to         *outlet
	goroutines *sync.WaitGroup

	index int // in channel.subscribers; owned by the channel's goroutine

	mu sync.Mutex
	// Guarded by mu.
	behind *backlog // nil while messages go straight to the connection
	muted  bool     // hears nothing any more
	sent   uint64   // the number of the last message that was given or waits, or of its beginning
}

type backlog struct {
	waiting []*longwire.Message
	bytes   int    // of waiting
	lost    uint64 // messages dropped since the last that waits
	dropped uint64 // the number of the last of them
}

func (s *subscription) send(m *longwire.Message, number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.muted:
		return
	case s.behind != nil:
		s.wait(m, number)
		return
	}
	if errors.Is(s.to.SendMessage(m), longwire.ErrFull) { // a closed one is about to unsubscribe
		s.behind = &backlog{}
		s.wait(m, number)
		s.goroutines.Go(s.feed) // the room's wait waits for it
		return
	}
	s.sent = number
}

// wait puts a message into the backlog, or drops it. With mu held.
func (s *subscription) wait(m *longwire.Message, number uint64) {
	b := s.behind
	gaps := 0
	if b.lost > 0 {
		gaps = 1 // needs a place too
	}
	if !s.to.take(len(m.Data()), gaps) {
		b.lost++
		b.dropped = number
		return
	}
	s.confess()
	b.waiting = append(b.waiting, m)
	b.bytes += len(m.Data())
	s.sent = number
}

// confess puts a gap frame into the backlog, where messages were dropped. With
// mu held.
func (s *subscription) confess() {
	b := s.behind
	if b.lost > 0 {
		gap := appendGap(nil, s.channel.name, s.sent, b.dropped, b.lost)
		b.waiting = append(b.waiting, longwire.NewMessage(longwire.JSON, gap))
		b.bytes += len(gap)
		s.to.add(1, len(gap))
		s.sent, b.lost = b.dropped, 0
	}
}

// release lets a subscriber that was held hear.
func (s *subscription) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.muted:
	case len(s.behind.waiting) == 0 && s.behind.lost == 0:
		s.behind = nil
	default:
		s.goroutines.Go(s.feed)
	}
}

// feed empties the backlog.
func (s *subscription) feed() {
	for {
		s.mu.Lock()
		b := s.behind
		if s.muted {
			s.mu.Unlock()
			return
		}
		if len(b.waiting) == 0 {
			s.confess() // nothing may follow for long: it is told now
		}
		if len(b.waiting) == 0 {
			s.behind = nil
			s.mu.Unlock()
			return
		}
		m := b.waiting[0]
		b.waiting[0] = nil
		b.waiting = b.waiting[1:]
		b.bytes -= len(m.Data())
		s.mu.Unlock()
		// The connection's end ends it, so there is no other context.
		if s.to.SendMessageWait(context.Background(), m) != nil {
			s.mute()
		}
		s.to.add(-1, -len(m.Data()))
	}
}

// mute ends it before the channel has heard of that. A message that is on its
// way may still arrive.
func (s *subscription) mute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = true
	if b := s.behind; b != nil {
		s.to.add(-len(b.waiting), -b.bytes)
		s.behind = nil
	}
}
