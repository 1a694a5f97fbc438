package stream

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// SSE is Server-Sent Events (WHATWG HTML, section 9.2), what EventSource reads.
//
// Text and JSON are message events; JSON is compacted to one line. A line break
// in a text, be it CR, LF or both, arrives as LF. Binary is base64 in an
// event named binary. A stream begins with retry: and, if the client can talk
// back, an event named open, {"link":…,"secret":…}; it ends with one
// named close, {"code":…,"reason":…,"retry":…}. Heartbeats are comments.
var SSE = &Encoder{
	Name:        "sse",
	ContentType: "text/event-stream; charset=utf-8",
	Append:      appendSSE,
	Open:        openSSE,
	Close:       closeSSE,
	Ping:        ":\n\n",
}

// An Event is one block of a stream of Server-Sent Events.
type Event struct {
	ID   string // what a client that comes back says in Last-Event-ID; empty: none
	Name string // empty: message
	Data []byte
}

// AppendEvent appends e as one block, whatever it holds. Names lose their line
// breaks and NULs. An ID that has some is left out as a whole, because another
// than was meant would be worse than none.
func AppendEvent(dst []byte, e *Event) []byte {
	dst = appendID(dst, e.ID)
	if e.Name != "" {
		dst = append(dst, "event: "...)
		for i := range len(e.Name) {
			if c := e.Name[i]; c != '\r' && c != '\n' && c != 0 {
				dst = append(dst, c)
			}
		}
		dst = append(dst, '\n')
	}
	return append(appendData(dst, e.Data), '\n')
}

// noID in a block has EventSource come back without Last-Event-ID.
const noID = "id\n"

func appendID(dst []byte, id string) []byte {
	if id == "" || strings.ContainsAny(id, "\r\n\x00") {
		return dst
	}
	dst = append(append(dst, "id: "...), id...)
	return append(dst, '\n')
}

// appendData writes one data: line for each line of p, also if that is empty.
// The space keeps one that p may begin with.
func appendData(dst, p []byte) []byte {
	for {
		dst = append(dst, "data: "...)
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			dst = append(dst, p...)
			return append(dst, '\n')
		}
		dst = append(dst, p[:i]...)
		dst = append(dst, '\n')
		if p[i] == '\r' && i+1 < len(p) && p[i+1] == '\n' {
			i++
		}
		p = p[i+1:]
	}
}

func appendSSE(dst []byte, kind longwire.Kind, p []byte) []byte {
	switch kind {
	case longwire.Binary:
		dst = append(dst, "event: binary\ndata: "...)
		dst = base64.StdEncoding.AppendEncode(dst, p)
		return append(dst, "\n\n"...)
	case longwire.JSON:
		begin := len(dst)
		dst = append(dst, "data: "...)
		if dst, ok := appendCompact(dst, p); ok {
			return append(dst, "\n\n"...)
		}
		dst = dst[:begin] // not JSON: as harmless as any text
	}
	return append(appendData(dst, p), '\n')
}

func openSSE(dst []byte, o *Opening) []byte {
	dst = appendID(appendRetry(dst, o.Retry), o.ID)
	dst = append(dst, '\n')
	if o.Link == "" {
		return dst
	}
	return AppendEvent(dst, &Event{Name: "open", Data: appendCredentials(nil, o.Link, o.Secret)})
}

func appendRetry(dst []byte, d time.Duration) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, wire.Millis(d), 10)
	return append(dst, '\n')
}

// neverAgain stands for never: EventSource connects again whatever a stream
// says, unless its page closes it; but it can be told to take its time.
const neverAgain = time.Hour

func closeSSE(dst []byte, c *longwire.Close) []byte {
	switch {
	case c.Retry > 0:
		dst = appendRetry(dst, c.Retry)
	case c.Retry < 0:
		dst = appendRetry(dst, neverAgain)
	}
	dst = append(dst, "event: close\ndata: {"...)
	dst = appendCloseJSON(dst, c)
	return append(dst, "}\n\n"...)
}
