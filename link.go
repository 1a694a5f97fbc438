package longwire

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// Errors of sending.
var (
	// ErrFull says that the peer reads too slowly: what may wait for it is
	// waiting already, and nothing of this message was queued.
	ErrFull = errors.New("longwire: the peer reads too slowly and its queue is full; drop the message, or wait with SendWait")
	// ErrClosed says that the connection is closed or closing.
	ErrClosed = errors.New("longwire: the connection is closed")
)

// A Kind says what the bytes of a message are. Transports that can tell kinds
// apart keep them: a WebSocket text message arrives as Text and leaves as a
// text message. Others deliver what their framing implies.
type Kind uint8

// The kinds.
const (
	Binary Kind = iota // any bytes
	Text               // valid UTF-8
	JSON               // one JSON value, in UTF-8
)

// String returns the name that the kind has on the wire: binary, text or json.
func (k Kind) String() string {
	switch k {
	case Text:
		return "text"
	case JSON:
		return "json"
	}
	return "binary"
}

// A Link is one open long connection: TCP, a WebSocket, an HTTP response. It
// carries messages and knows nothing of sessions. Its methods run on its
// loop, never block, and are for acceptors; [Conn] is the face for any
// goroutine. Info alone may be called from anywhere.
//
// After Closed the methods do nothing, and Send returns ErrClosed.
type Link interface {
	// Send queues m, keeping it, and returns the bytes that wait beyond the
	// kernel's own buffer. With ErrFull nothing was queued and
	// Receiver.Drained follows. One message is always taken when nothing waits.
	Send(m *Message) (waiting int, err error)
	// Pause stops reading, which holds the peer back, or goes on.
	Pause(on bool)
	// Close flushes for at most a second, says why in the transport's way and
	// closes. Receiver.Closed follows, once, later.
	Close(c Close)
	// Info describes the link. It never changes.
	Info() *LinkInfo
}

// A framed link's frames depend on nothing but the message, so they can be
// made on any goroutine. All links of this module are framed and tell their
// loop; an acceptor reaches a link from elsewhere by posting to it.
type framed interface {
	Link
	Loop() *loop.Loop
	Form() *Form
	// SendFramed queues a copy of bytes that Form made; the last before Close
	// also when the link is full.
	SendFramed(b []byte, last bool) (waiting int, err error)
}

// An Acceptor takes the links that a transport opens. [Plain] is one.
type Acceptor interface {
	// Accept is called on the link's loop, after the transport's handshake. An
	// error refuses the link; a *Close says with what.
	Accept(now time.Time, l Link) (Receiver, error)
}

// A Receiver hears one link: on the link's loop, one call at a time, never
// from inside a call to the link, never blocking. It may have two more methods,
// called in the same way:
//
//	// Ended: the peer has finished writing and still reads (a TCP half-close,
//	// printf … | nc). Once, after the last message; the link stays open until
//	// the receiver closes it. Without this method it is closed in order.
//	Ended(now time.Time)
//	// Leave: the engine is being closed. Time for last words, before the link is
//	// closed with going_away.
//	Leave(now time.Time)
type Receiver interface {
	Receive(now time.Time, kind Kind, p []byte) // p is valid, and may be changed, during the call
	Drained(now time.Time)                      // there is room again after ErrFull
	Closed(now time.Time, err error)            // once, last; err is always a *Close
}

// A Close says why a connection ends. It is an error, and what every link
// ends with: code is the same on every transport.
type Close struct {
	Code   wire.Code     // empty means wire.CodeNormal
	Reason string        // for people; empty means the code's own text; at most 123 bytes are sent
	Retry  time.Duration // when to connect again: zero is at will, negative never
	Number uint16        // the WebSocket close code that came or is to be sent, where it is not the code's own
	Remote bool          // the peer closed
	Err    error         // what broke, if something did
}

// Error tells the code and the reason.
func (c *Close) Error() string {
	who := "closed"
	if c.Remote {
		who = "closed by the peer"
	}
	text := fmt.Sprintf("longwire: %s: %s: %s", who, c.code(), c.Text())
	if c.Err != nil {
		text += ": " + c.Err.Error()
	}
	return text
}

// Unwrap returns what broke.
func (c *Close) Unwrap() error { return c.Err }

// Text returns the reason, or the text of the code if there is none.
func (c *Close) Text() string {
	if c.Reason != "" {
		return c.Reason
	}
	return c.code().Info().Message
}

func (c *Close) code() wire.Code {
	if c.Code == "" {
		return wire.CodeNormal
	}
	return c.Code
}

// CloseOf returns err as a *Close: itself, if it is one; what a [wire.Error] in
// it says; going_away if the engine was closed; else one with the given code.
func CloseOf(err error, code wire.Code) *Close {
	if c, ok := errors.AsType[*Close](err); ok {
		return c
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return &Close{Code: e.Code, Reason: e.Message, Retry: e.Retry, Err: err}
	}
	if errors.Is(err, loop.ErrShutdown) {
		code = wire.CodeGoingAway
	}
	return &Close{Code: code, Err: err}
}

// LogValue keeps reasons, which a peer can choose, apart from our own text.
func (c *Close) LogValue() slog.Value {
	return slog.GroupValue(slog.String("code", string(c.code())), slog.String("reason", c.Text()), slog.Bool("remote", c.Remote))
}
