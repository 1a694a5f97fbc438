package stream

import (
	"fmt"

	"github.com/longwire/longwire"
)

// The id of an event is the position of its message, the same for all links,
// and on links that carry sessions a tail behind it, "/" and what the receiver
// has set: so EventSource, which can say nothing but the last id when it comes
// back, names its session. A message is framed once for all links also then:
// the id comes last in its block, and the block's end is the link's own.

const (
	blockEnd  = "\n\n"
	tailBytes = 22 + len(".") + 22 // SESSION.SECRET: all the same length, because a chunk's size comes before it
	plainTail = len("/") + tailBytes + len(blockEnd)
)

// A tail is how a link ends a message with a position; the end of a chunk too.
type tail [plainTail + len(chunkEnd)]byte

// SetTail has the ids of the stream end with "/" and tail from now on. It
// matters to links whose ids are positions only.
func (l *link) SetTail(id string) {
	if l.enc.appendAt == nil {
		return
	}
	if len(id) != tailBytes {
		panic(fmt.Sprintf("stream: a tail of %d bytes; it must have %d", len(id), tailBytes))
	}
	l.tail = new(tail)
	copy(l.tail[:], "/"+id+blockEnd+chunkEnd)
}

// idOf is what a client says that comes back to where a position is.
func (l *link) idOf(at longwire.Position) string {
	if at == "" || l.tail == nil {
		return string(at)
	}
	return string(at) + string(l.tail[:len("/")+tailBytes])
}

// framed is a message as the link sends it: bytes that it shares, and its own end of them.
func (l *link) framed(m *longwire.Message) (b, end []byte) {
	switch {
	case l.tail == nil || m.Position() == "":
		return m.Frame(l.Form()), nil
	case l.chunked:
		return m.Frame(&l.enc.tailed[1]), l.tail[:]
	default:
		return m.Frame(&l.enc.tailed[0]), l.tail[:plainTail]
	}
}
