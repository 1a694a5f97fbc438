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
	SendWait(ctx context.Context, kind longwire.Kind, p []byte) error
}

// A subscription is one subscriber of one channel.
//
// Messages go straight to its connection, as long as that has room. When it has
// none the subscription is behind: messages wait in a backlog, and a goroutine
// feeds the connection as it finds room, until the backlog is empty. The
// backlog is bounded; what does not fit is dropped and counted, and a `gap`
// frame tells how much before the next message (docs/protocol.md, section 4).
// So no subscriber costs more than its backlog, and none waits for another.
type subscription struct {
	// Immutable.
	channel    *channel
	to         sink
	goroutines *sync.WaitGroup

	index int // in channel.subscribers; owned by the channel's goroutine

	mu sync.Mutex
	// Guarded by mu.
	behind *backlog // nil while messages go straight to the connection
	muted  bool     // hears nothing any more
	sent   uint64   // the number of the last message that was given or waits
}

// What may wait in a backlog: enough for a burst between two turns of a loop.
// One message is always taken.
const (
	maxBehind      = 256
	maxBehindBytes = 256 << 10
)

type backlog struct {
	waiting []*longwire.Message
	bytes   int
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
	}
	s.sent = number
}

// wait puts a message into the backlog, or drops it. With mu held.
func (s *subscription) wait(m *longwire.Message, number uint64) {
	b := s.behind
	most := maxBehind
	if b.lost > 0 {
		most-- // the gap needs a place too
	}
	if len(b.waiting) >= most || b.bytes > 0 && b.bytes+len(m.Data()) > maxBehindBytes {
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
		s.sent, b.lost = b.dropped, 0
	}
}

// release lets a subscriber that was held hear.
func (s *subscription) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.muted:
	case len(s.behind.waiting) == 0: // nothing can have been lost
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
		if s.to.SendWait(context.Background(), m.Kind(), m.Data()) != nil {
			s.mute()
		}
	}
}

// mute ends it before the channel has heard of that. A message that is on its
// way may still arrive.
func (s *subscription) mute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = true
	s.behind = nil
}
