package stream

import (
	"mime"
	"strconv"

	"github.com/longwire/longwire"
)

// An encoding is an Encoder with what is made of it once.
type encoding struct {
	*Encoder
	media   string           // of ContentType, without parameters
	plain   longwire.Form    // where the connection's end, or HTTP/2, ends the body
	chunked longwire.Form    // RFC 9112, section 7.1
	tailed  [2]longwire.Form // both, for links with a tail and messages with a position; see tail.go
	pings   [2][]byte        // both, shared by all links, so a ping takes no memory
}

// The encodings of this package are shared by all handlers, so that a message
// is framed once for all of them.
var known = map[*Encoder]*encoding{
	SSE: newEncoding(SSE), NDJSON: newEncoding(NDJSON), Poll: newEncoding(Poll), Lines: newEncoding(Lines),
	frameSSE: newEncoding(frameSSE), frameNDJSON: newEncoding(frameNDJSON), framePoll: newEncoding(framePoll),
}

func encodingOf(e *Encoder) *encoding {
	if k := known[e]; k != nil {
		return k
	}
	return newEncoding(e)
}

func newEncoding(e *Encoder) *encoding {
	n := &encoding{Encoder: e}
	n.media, _, _ = mime.ParseMediaType(e.ContentType)
	n.plain = longwire.Form{Name: e.Name, Append: e.Append}
	if e.poll {
		n.plain.Append = n.appendElement
	}
	n.chunked = longwire.Form{Name: e.Name + " in chunks", Append: func(dst []byte, kind longwire.Kind, p []byte) []byte {
		begin := len(dst)
		return endChunk(e.Append(beginChunk(dst), kind, p), begin)
	}}
	if e.appendAt != nil {
		n.tellPositions()
	}
	n.pings = [2][]byte{[]byte(e.Ping), endChunk(append(beginChunk(nil), e.Ping...), 0)}
	return n
}

// tellPositions makes the forms of messages with a position.
func (n *encoding) tellPositions() {
	appendAt := n.appendAt
	n.plain.AppendAt = func(dst []byte, kind longwire.Kind, p []byte, at longwire.Position) []byte {
		return append(appendAt(dst, kind, p, at), blockEnd...)
	}
	n.chunked.AppendAt = func(dst []byte, kind longwire.Kind, p []byte, at longwire.Position) []byte {
		begin := len(dst)
		return endChunk(append(appendAt(beginChunk(dst), kind, p, at), blockEnd...), begin)
	}
	n.tailed = [2]longwire.Form{
		{Name: n.plain.Name + " up to a tail", Append: n.plain.Append, AppendAt: appendAt},
		{Name: n.chunked.Name + " up to a tail", Append: n.chunked.Append, AppendAt: func(dst []byte, kind longwire.Kind, p []byte, at longwire.Position) []byte {
			begin := len(dst)
			return sizeChunk(appendAt(beginChunk(dst), kind, p, at), begin, plainTail)
		}},
	}
}

func (n *encoding) form(chunked bool) *longwire.Form {
	if chunked {
		return &n.chunked
	}
	return &n.plain
}

func (n *encoding) ping(chunked bool) []byte {
	if chunked {
		return n.pings[1]
	}
	return n.pings[0]
}

// appendElement is a message in the queue of a poll link: with a comma behind it.
func (n *encoding) appendElement(dst []byte, kind longwire.Kind, p []byte) []byte {
	begin := len(dst)
	if dst = n.Append(dst, kind, p); len(dst) > begin {
		dst = append(dst, ',')
	}
	return dst
}

// chunkRoom is room for the longest size of a chunk. What of it is not needed
// is closed up afterwards.
const chunkRoom = "0000000000000000\r\n"

func beginChunk(dst []byte) []byte { return append(dst, chunkRoom...) }

// endChunk makes a chunk of what follows the room at begin. A chunk of nothing
// would be the last (RFC 9112, section 7.1), so nothing makes no chunk.
func endChunk(dst []byte, begin int) []byte {
	if len(dst) == begin+len(chunkRoom) {
		return dst[:begin]
	}
	return append(sizeChunk(dst, begin, 0), chunkEnd...)
}

// sizeChunk begins a chunk with what follows the room at begin; so many bytes
// more, and the end of the chunk, are to follow.
func sizeChunk(dst []byte, begin, more int) []byte {
	var digits [16]byte
	size := strconv.AppendInt(digits[:0], int64(len(dst)-begin-len(chunkRoom)+more), 16)
	at := begin + copy(dst[begin:], size)
	at += copy(dst[at:], chunkEnd)
	at += copy(dst[at:], dst[begin+len(chunkRoom):])
	return dst[:at]
}

const (
	chunkEnd  = "\r\n"
	lastChunk = "0\r\n\r\n"
)
