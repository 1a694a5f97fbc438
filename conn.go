package longwire

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/longwire/longwire/wire"
)

// What a Conn holds beside its link's queue, in either direction.
const (
	maxPending  = wire.MaxQueuedOut     // bytes that wait for a link that is full
	maxTransit  = 4 * maxPending        // bytes on the way to the loop, which may be at something else
	maxIncoming = wire.MaxQueuedInBytes // bytes that wait for the handler
	maxMessages = wire.MaxQueuedIn      // messages that wait for the handler

	// A message from here on is copied once into a Message of its own; a
	// smaller one into the end of a buffer that it shares with others.
	ownFrom = 4 << 10
)

// A Conn is a connection at the plain door. Its methods may be called from any
// goroutine, also from its own handlers.
type Conn struct {
	// Tag is for the handlers' use. longwire does not touch it.
	Tag any

	plain *Plain // immutable
	link  framed // immutable; its methods are called on its loop only

	mu sync.Mutex
	// Guarded by mu.
	one   *Message      // what is to be sent, if it is one message only
	q     *sendq        // what is to be sent otherwise; nil while there is nothing
	in    *inq          // messages for the handler; nil while there are none
	freed chan struct{} // closed when there is room again; nil while nobody waits for that
	ended *Close        // why it ends; nil while it does not
	bytes int32         // to be sent and not yet taken by the loop
	flags uint32
}

const (
	cPosted  = 1 << iota // a task of this Conn waits for the loop, or the loop is at it
	cFull                // the link said ErrFull; Drained will come
	cClosed              // nothing more is sent
	cClosing             // the link is to be closed once all is sent
	cGone                // the link is closed
	cTold                // Close was called, or is not to be
	cOpening             // Open is to be called
	cRunning             // the handlers' goroutine runs
	cPaused              // the link is not read
	cEnded               // the peer has finished writing: close when all is handled
	cDeaf                // closed from this side: Message is not called any more
)

// Info describes the connection.
func (c *Conn) Info() *LinkInfo { return c.link.Info() }

// Send queues a copy of p to be sent as one message. It never blocks. With
// ErrFull or ErrClosed nothing was queued. It is full when 16 KiB wait for a
// peer that does not read, or 64 KiB for the loop to come round; until then a
// message of any size is taken.
func (c *Conn) Send(kind Kind, p []byte) error {
	if len(p) >= ownFrom {
		return c.sendOwn(kind, p)
	}
	c.mu.Lock()
	if err := c.room(); err != nil {
		c.mu.Unlock()
		return err
	}
	c.owe(c.frame(kind, p))
	return nil
}

// sendOwn is Send for what is worth a Message of its own. It looks before it
// copies: a peer that is behind is refused often.
func (c *Conn) sendOwn(kind Kind, p []byte) error {
	c.mu.Lock()
	err := c.room()
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.SendMessage(NewMessage(kind, bytes.Clone(p)))
}

// frame appends a message to what is to be sent and returns its size. A
// framing is the user's code: one that panics must not leave c locked.
func (c *Conn) frame(kind Kind, p []byte) int {
	framed := false
	defer func() {
		if !framed {
			c.mu.Unlock()
		}
	}()
	q := c.queue()
	n := len(q.buf)
	q.buf = c.link.Form().Append(q.buf, kind, p)
	framed = true
	return len(q.buf) - n
}

// SendMessage is Send without the copy, for a message that goes to many.
func (c *Conn) SendMessage(m *Message) error {
	c.mu.Lock()
	if err := c.room(); err != nil {
		c.mu.Unlock()
		return err
	}
	if c.one == nil && c.q == nil {
		c.one = m
	} else {
		q := c.queue()
		q.marks = append(q.marks, mark{len(q.buf), m})
	}
	c.owe(m.cost())
	return nil
}

// SendWait is Send that waits for room until ctx ends; then it returns the
// context's error, and nothing was queued. It must not be called on a loop.
func (c *Conn) SendWait(ctx context.Context, kind Kind, p []byte) error {
	return c.wait(ctx, func() error { return c.Send(kind, p) })
}

// SendMessageWait is SendMessage that waits as SendWait does.
func (c *Conn) SendMessageWait(ctx context.Context, m *Message) error {
	return c.wait(ctx, func() error { return c.SendMessage(m) })
}

// wait calls send until there was room for it, or ctx ends.
func (c *Conn) wait(ctx context.Context, send func() error) error {
	for {
		err := send()
		if !errors.Is(err, ErrFull) {
			return err
		}
		c.mu.Lock()
		if !errors.Is(c.room(), ErrFull) {
			c.mu.Unlock()
			continue
		}
		if c.freed == nil {
			c.freed = make(chan struct{})
		}
		freed := c.freed
		c.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close ends the connection in order, after what was sent before. The peer is
// told code and reason if its transport can carry them; an empty reason means
// the code's own text. The Close handler follows; messages that had not been
// handled yet are dropped. Closing twice is the same as closing once.
func (c *Conn) Close(code wire.Code, reason string) {
	c.closeWith(&Close{Code: code, Reason: reason})
}

// CloseWith is Close with all that a [Close] can say.
func (c *Conn) CloseWith(cl Close) { c.closeWith(&cl) }

func (c *Conn) closeWith(cl *Close) {
	c.mu.Lock()
	if c.flags&cClosed != 0 {
		c.mu.Unlock()
		return
	}
	c.flags |= cClosed | cClosing | cDeaf
	c.ended = cl
	c.letGo()
	c.owe(0)
}

// letGo has those go on who wait for room.
func (c *Conn) letGo() {
	if c.freed != nil {
		close(c.freed)
		c.freed = nil
	}
}

// room says whether one more message may be sent now, whatever its size: who
// answers each message with one does not know how long the answer to the next
// will be when he is given it.
func (c *Conn) room() error {
	if c.flags&cClosed != 0 {
		return ErrClosed
	}
	limit := maxTransit
	if c.flags&cFull != 0 {
		limit = maxPending
	}
	if int(c.bytes) >= limit {
		return ErrFull
	}
	return nil
}

// queue returns q, made and filled with what c.one held.
func (c *Conn) queue() *sendq {
	if c.q == nil {
		c.q = sendqs.Get().(*sendq)
		if c.one != nil {
			c.q.marks = append(c.q.marks, mark{0, c.one})
			c.one = nil
		}
	}
	return c.q
}

// owe counts n bytes more to be sent, sees to it that the loop hears of them,
// and unlocks.
func (c *Conn) owe(n int) {
	c.bytes += int32(min(n, 1<<30))
	post := c.flags&(cPosted|cGone) == 0 && (c.flags&cFull == 0 || c.flags&cClosing != 0)
	if post {
		c.flags |= cPosted
	}
	c.mu.Unlock()
	if post {
		c.link.Loop().PostTask((*connTask)(c))
	}
}

// connTask is the loop's face of a Conn.
type connTask Conn

func (t *connTask) Run(time.Time) { (*Conn)(t).drain() }

// drain hands the link what is to be sent, and then paces the peer. On the
// loop. What is sent meanwhile waits behind the loop's other work: one who
// sends without end must not have the loop for himself.
func (c *Conn) drain() {
	c.mu.Lock()
	if one, q := c.one, c.q; (one != nil || q != nil) && c.flags&(cFull|cGone) == 0 {
		n := c.bytes
		c.one, c.q = nil, nil
		c.mu.Unlock()
		err := c.hand(one, q)
		c.mu.Lock()
		c.bytes -= n // not before: what comes back must find its room
		if errors.Is(err, ErrFull) {
			c.putBack(one, q)
		}
	}
	again := (c.one != nil || c.q != nil) && c.flags&(cFull|cGone|cClosing) == 0
	if !again {
		c.flags &^= cPosted
	}
	c.pace()
	if again {
		c.link.Loop().PostTask((*connTask)(c))
	}
}

func (c *Conn) hand(one *Message, q *sendq) error {
	if one != nil {
		_, err := c.link.Send(one)
		return err
	}
	err := q.send(c.link, false)
	if err == nil {
		q.free()
	}
	return err
}

// putBack takes back what the link had no room for, before what was sent since.
func (c *Conn) putBack(one *Message, q *sendq) {
	c.flags |= cFull
	if q == nil {
		q = sendqs.Get().(*sendq)
		q.marks = append(q.marks, mark{0, one})
	}
	if c.one != nil || c.q != nil {
		q.add(c.queue())
		c.q.free()
	}
	c.one, c.q = nil, q
	c.bytes = int32(q.size())
}

// pace reads the peer only while there is room for its messages and for
// answers to them, lets those go on who waited for room, and closes the link
// when that is due. It is called with mu held, and unlocks.
func (c *Conn) pace() {
	if c.flags&cGone != 0 {
		c.mu.Unlock()
		return
	}
	if c.flags&cClosing != 0 {
		c.flags &^= cClosing
		var q *sendq
		if c.one != nil || c.q != nil {
			q = c.queue()
		}
		cl := *c.ended
		c.q, c.bytes = nil, 0
		c.mu.Unlock()
		if q != nil { // left over from a full link, or sent just now; it is bounded, and it is the last
			_ = q.send(c.link, true) // it is closed next, whatever came of that
			q.free()
		}
		c.link.Close(cl)
		return
	}
	paused := c.flags&cPaused != 0
	want := c.flags&cFull != 0 || c.in != nil && (c.in.full() || paused && !c.in.low())
	if want != paused {
		c.flags ^= cPaused
	}
	if c.flags&cFull == 0 {
		c.letGo()
		if c.in != nil {
			c.start()
		}
	}
	c.mu.Unlock()
	if want != paused {
		c.link.Pause(want)
	}
}

// forget drops what is to be sent, and frees those who wait for room.
func (c *Conn) forget() {
	if c.q != nil {
		c.q.free()
	}
	c.one, c.q, c.bytes = nil, nil, 0
	c.letGo()
}
