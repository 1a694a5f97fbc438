package stream

import (
	"cmp"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// An Encoder says how a response carries messages. Its functions are pure:
// they only append to dst, keep nothing and may run on several goroutines at
// once. A program can bring its own; copy one of the variables of this package
// to change only a part of it. An Encoder is not to be changed once it serves.
type Encoder struct {
	// Name is the transport of its links, as [longwire.LinkInfo] tells it.
	Name string
	// ContentType is the response's. A client asks for the encoder by naming
	// its media type in Accept.
	ContentType string
	// Append appends a message as it appears in the stream, with all that sets
	// it off from the next. It must let no message look like two. A message
	// for which nothing is appended is not sent. In a copy of Poll it appends one JSON value.
	Append func(dst []byte, kind longwire.Kind, p []byte) []byte
	// Open appends what a stream begins with. Nil means nothing.
	Open func(dst []byte, o *Opening) []byte
	// Close appends the last words of a link. Nil means that the end of the
	// response says it all. In a copy of Poll it appends a JSON object.
	Close func(dst []byte, c *longwire.Close) []byte
	// Ping is what is sent after a silence. Empty means nothing.
	Ping string

	poll bool // answers requests one by one, in JSON

	// appendAt is Append for a message with a position, up to the end of the id
	// that tells it; a line feed, and the empty line, follow. Nil: positions are
	// not told.
	appendAt func(dst []byte, kind longwire.Kind, p []byte, at longwire.Position) []byte
}

// An Opening is what an Encoder may tell at the beginning of a stream.
type Opening struct {
	Link, Secret string        // to talk back by POST; empty if the handler does not listen
	Retry        time.Duration // how long to wait before connecting again
	ID           string        // what Last-Event-ID shall be until a message has one; empty: nothing
}

// appendCloseJSON appends the members of a close, without braces.
func appendCloseJSON(dst []byte, c *longwire.Close) []byte {
	dst = wire.AppendString(append(dst, `"code":`...), string(cmp.Or(c.Code, wire.CodeNormal)))
	dst = wire.AppendMember(dst, "reason", wire.ShortReason(c.Text()))
	return wire.AppendNumber(dst, "retry", wire.Millis(c.Retry))
}
