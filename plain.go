package longwire

import (
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/longwire/longwire/wire"
)

// Plain is the door for a protocol of one's own: open, message, close, with
// the bytes of each message as they came. It is an [Acceptor]; one Plain can
// serve any number of transports and links at once. Its fields must not be
// changed once it serves. Nil functions do nothing.
//
// The calls for one connection come one at a time: Open, then Message for each
// message in order, then Close. Without OnLoop they come on a goroutine that
// the connection has while it has work, so they may block; at most 16 messages
// or 64 KiB wait for them, then the peer is held back. The same happens while
// the connection's outgoing queue is full, so a handler that answers each
// message with one Send never finds the queue full.
//
// A function that panics ends its connection with the code handler_panic, and
// no other.
type Plain struct {
	// Open is told of a new connection. An error refuses it: a *Close or
	// *wire.Error says with what, any other counts as forbidden. Close is not
	// called for a connection that Open refused.
	Open func(c *Conn) error
	// Message is told of a message. The bytes are valid until it returns.
	Message func(c *Conn, kind Kind, p []byte)
	// Close is told that the connection has ended, once. The error is always a
	// *Close. Sending is over.
	Close func(c *Conn, err error)
	// OnLoop calls the functions on the connection's event loop: no goroutine,
	// no copy, and nothing of that loop moves until they return. They must not
	// block; a turn of more than 100 ms is logged. SendWait is not for them.
	OnLoop bool
	// HalfOpen keeps a connection whose peer has finished writing but may still
	// read, until it is closed or breaks. Without it such a connection is closed
	// in order once its last message was handled.
	HalfOpen bool
	// Log hears of panics. Nil means slog.Default().
	Log *slog.Logger
}

var errForeign = errors.New("longwire: this link was not made by a transport of this module")

// Accept takes a link; transports call it.
func (p *Plain) Accept(_ time.Time, l Link) (Receiver, error) {
	f, ok := l.(framed)
	if !ok {
		return nil, errForeign
	}
	c := &Conn{plain: p, link: f}
	if !p.OnLoop {
		if p.Open != nil {
			c.flags |= cOpening | cRunning
			f.Loop().Go((*connWork)(c))
		}
		return (*plainReceiver)(c), nil
	}
	c.flags |= cPosted // until drained, below: Accept has not returned, the link cannot send yet
	if err := c.callOpen(); err != nil {
		c.mu.Lock()
		c.flags |= cClosed | cGone
		c.forget() // someone may wait for room already
		c.mu.Unlock()
		return nil, err
	}
	f.Loop().PostTask((*connTask)(c))
	return (*plainReceiver)(c), nil
}

// plainReceiver is the link's face of a Conn.
type plainReceiver Conn

func (r *plainReceiver) Receive(now time.Time, kind Kind, b []byte) {
	c := (*Conn)(r)
	if !c.plain.OnLoop {
		c.enqueue(kind, b)
		return
	}
	c.mu.Lock()
	deaf := c.flags&cDeaf != 0
	c.flags |= cPosted // what the handler sends is taken below, without a task
	c.mu.Unlock()
	if !deaf {
		c.callMessage(kind, b)
	}
	c.drain()
}

func (r *plainReceiver) Drained(time.Time) {
	c := (*Conn)(r)
	c.mu.Lock()
	c.flags &^= cFull
	c.mu.Unlock()
	c.drain()
}

func (r *plainReceiver) Closed(_ time.Time, err error) {
	c := (*Conn)(r)
	c.mu.Lock()
	c.flags |= cClosed | cGone
	c.flags &^= cFull
	c.forget()
	c.ended = CloseOf(err, wire.CodeLost)
	if c.plain.OnLoop {
		c.mu.Unlock()
		c.callClose()
		return
	}
	c.start()
	c.mu.Unlock()
}

// Ended hears that the peer has finished writing.
func (r *plainReceiver) Ended(time.Time) {
	c := (*Conn)(r)
	if c.plain.HalfOpen {
		return
	}
	c.mu.Lock()
	if c.plain.OnLoop || c.in == nil && c.flags&cRunning == 0 {
		c.mu.Unlock()
		c.closeWith(&Close{Remote: true})
		return
	}
	c.flags |= cEnded // the handlers' goroutine closes when it has done
	c.mu.Unlock()
}

// Leave sends what still waits and closes, because the engine ends.
func (r *plainReceiver) Leave(time.Time) {
	c := (*Conn)(r)
	c.closeWith(&Close{Code: wire.CodeGoingAway})
	c.drain()
}

// The handlers are called here, and nowhere else, so that a panic ends one
// connection only.

func (c *Conn) callOpen() (err error) {
	if c.plain.Open == nil {
		return nil
	}
	defer c.survive(&err)
	if err = c.plain.Open(c); err != nil {
		err = CloseOf(err, wire.CodeForbidden)
	}
	return err
}

func (c *Conn) callMessage(kind Kind, p []byte) {
	if c.plain.Message == nil {
		return
	}
	var err error
	defer c.survive(&err)
	c.plain.Message(c, kind, p)
}

func (c *Conn) callClose() {
	if c.plain.Close == nil {
		return
	}
	var err error
	defer c.survive(&err)
	c.plain.Close(c, c.ended)
}

func (c *Conn) survive(err *error) {
	v := recover()
	if v == nil {
		return
	}
	log := c.plain.Log
	if log == nil {
		log = slog.Default()
	}
	log.Error("longwire: a handler panicked; its connection is closed",
		slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	cl := &Close{Code: wire.CodeHandlerPanic}
	*err = cl
	c.closeWith(cl)
}
