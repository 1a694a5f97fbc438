package stream

import (
	"mime"
	"strconv"
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
}

// An Opening is what an Encoder may tell at the beginning of a stream.
type Opening struct {
	Link, Secret string        // to talk back by POST; empty if the handler does not listen
	Retry        time.Duration // how long to wait before connecting again
}

// An encoding is an Encoder with what is made of it once.
type encoding struct {
	*Encoder
	media   string        // of ContentType, without parameters
	plain   longwire.Form // where the connection's end, or HTTP/2, ends the body
	chunked longwire.Form // RFC 9112, section 7.1
	pings   [2][]byte     // plain and chunked, shared by all links, so a ping takes no memory
}

// The encodings of this package are shared by all handlers, so that a message
// is framed once for all of them.
var known = map[*Encoder]*encoding{
	SSE: newEncoding(SSE), NDJSON: newEncoding(NDJSON), Poll: newEncoding(Poll), Lines: newEncoding(Lines),
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
	n.pings = [2][]byte{[]byte(e.Ping), endChunk(append(beginChunk(nil), e.Ping...), 0)}
	return n
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
	n := len(dst) - begin - len(chunkRoom)
	if n == 0 {
		return dst[:begin]
	}
	var digits [16]byte
	size := strconv.AppendInt(digits[:0], int64(n), 16)
	at := begin + copy(dst[begin:], size)
	at += copy(dst[at:], "\r\n")
	at += copy(dst[at:], dst[begin+len(chunkRoom):])
	return append(dst[:at], "\r\n"...)
}

const lastChunk = "0\r\n\r\n"

// appendCloseJSON appends the members of a close, without braces.
func appendCloseJSON(dst []byte, c *longwire.Close) []byte {
	code := c.Code
	if code == "" {
		code = wire.CodeNormal
	}
	dst = append(dst, `"code":`...)
	dst = appendString(dst, []byte(code))
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, []byte(shortened(c.Text())))
	dst = append(dst, `,"retry":`...)
	return strconv.AppendInt(dst, retryMillis(c.Retry), 10)
}

// retryMillis is how the wire tells when to connect again: milliseconds, -1 for never.
func retryMillis(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// shortened cuts a reason to what every transport can carry, between characters.
func shortened(s string) string {
	if len(s) <= wire.MaxReason {
		return s
	}
	end := wire.MaxReason
	for end > 0 && s[end]&0xc0 == 0x80 {
		end--
	}
	return s[:end]
}
