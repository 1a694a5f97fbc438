package ws

import (
	"errors"
	"io"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// Closing (RFC 6455, section 7).
//
// We close: a Close frame goes out behind what was sent before, and for at
// most closeWait the peer's is waited for, its messages dropped. Then, or at
// once when the peer closed first, answered with its own code, or broke the
// protocol, the socket closes in order: it is flushed, our side is shut down,
// and what still arrives is read and dropped until the peer has shut down its
// own or wire.FlushTimeout has passed. Closing at once would reset the
// connection, and a reset destroys the Close frame in the peer's buffer. Our
// side is the first to shut down, as section 7.1.1 wants of a server.
//
// Nothing is sent behind a Close frame, and nothing behind the peer's is looked
// at.

// closeWait bounds the wait for the peer's Close frame.
const closeWait = wire.FlushTimeout

// Close says goodbye.
func (l *link) Close(c longwire.Close) {
	if l.state&closing != 0 {
		return
	}
	l.goodbye(number(&c), c.Text(), &c)
	l.sock.SetRead(true)
	l.sock.Loop().After(closeWait, &l.timer)
}

// A leaver is a [longwire.Receiver] that has last words.
type leaver interface{ Leave(now time.Time) }

// Leave hears that the engine ends.
func (l *link) Leave(now time.Time) {
	if r, ok := l.recv.(leaver); ok {
		r.Leave(now)
	}
	l.Close(longwire.Close{Code: wire.CodeGoingAway})
}

// number is the close code that c is sent with.
func number(c *longwire.Close) uint16 {
	switch {
	case c.Number != 0:
		return c.Number
	case c.Code == "":
		return wire.CodeNormal.CloseCode()
	}
	return c.Code.CloseCode()
}

// goodbye sends a Close frame and notes why.
func (l *link) goodbye(code uint16, reason string, c *longwire.Close) {
	b := l.sock.Reserve(frame.MaxControl + 2)
	l.sock.Commit(frame.AppendClose(b, code, reason))
	l.state |= closing
	l.state &^= paused
	l.more().end = c
	l.timer.Stop()
}

// shut closes the socket in order.
func (l *link) shut() {
	l.state |= done
	l.timer.Stop()
	l.reader.Release()
	l.sock.Close(l.rare.end, wire.FlushTimeout)
}

// closedByPeer hears the peer's Close frame: the first word, or the answer to ours.
func (l *link) closedByPeer(code uint16, reason string) {
	if l.state&closing == 0 {
		l.goodbye(code, reason, &longwire.Close{
			Code: wire.FromCloseCode(code), Number: code, Reason: reason, Remote: true,
		})
	}
	l.shut()
}

// fail ends a link whose peer broke the protocol or a limit.
func (l *link) fail(err error) {
	if l.state&closing == 0 {
		e, ok := errors.AsType[*frame.Error](err)
		if !ok {
			e = &frame.Error{Code: frame.CloseProtocol, Reason: err.Error()}
		}
		l.goodbye(e.Code, e.Reason, &longwire.Close{
			Code: wire.FromCloseCode(e.Code), Number: e.Code, Reason: e.Reason, Err: err,
		})
	}
	l.shut()
}

// die ends a link whose peer has been silent for too long. It may be able to
// read all the same.
func (l *link) die() {
	c := &longwire.Close{Code: wire.CodeIdleTimeout}
	l.goodbye(number(c), c.Text(), c)
	l.shut()
}

// waitedLong ends the wait for the peer's Close frame. A peer that has not
// even read all we had to say gets no more time for it.
func (l *link) waitedLong() {
	unread := l.sock.Waiting() > 0
	l.shut()
	if unread {
		l.sock.Close(nil, 0)
	}
}

// End hears that the peer has shut down its side. Without a Close frame that
// is a cut, whatever the receiver could still tell it.
func (l *link) End(time.Time, []byte) {
	if l.state&closing == 0 {
		l.state |= closing
		l.more().end = &longwire.Close{Code: wire.CodeLost, Remote: true, Err: io.ErrUnexpectedEOF}
	}
	l.shut()
}

// Closed hears that the socket is gone.
func (l *link) Closed(now time.Time, err error) {
	l.state |= closing | done
	l.timer.Stop()
	l.reader.Release()
	switch {
	case l.rare != nil && l.rare.end != nil:
		err = l.rare.end // what cut a closing short is of no interest
	case errors.Is(err, loop.ErrShutdown):
		err = longwire.CloseOf(err, wire.CodeGoingAway)
	default:
		err = longwire.CloseOf(err, wire.CodeLost)
	}
	recv := l.recv
	l.rare, l.recv = nil, nobody{}
	recv.Closed(now, err)
}
