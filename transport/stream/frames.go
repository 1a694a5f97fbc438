package stream

import (
	"bytes"
	"cmp"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// How the frames of a node look (docs/protocol.md, section 4). A frame is a
// JSON object on one line already, so none of these looks at it again.
//
// As an event, a frame that says where its receiver stands has that for an id.
// A ping is told only so: as an id and a comment, of which EventSource makes no event.

var frameSSE = &Encoder{
	Name:        SSE.Name,
	ContentType: SSE.ContentType,
	Append: func(dst []byte, _ longwire.Kind, p []byte) []byte {
		return append(appendFrameLine(dst, p), blockEnd...)
	},
	appendAt: func(dst []byte, _ longwire.Kind, p []byte, at longwire.Position) []byte {
		dst = append(appendFrameLine(dst, p), "\nid: "...)
		return append(dst, at...)
	},
	Open:  openSSE,
	Close: func(dst []byte, c *longwire.Close) []byte { return closeSSE(dst, final(c)) },
	Ping:  SSE.Ping, // for a receiver that does not know yet where it stands
}

var frameNDJSON = &Encoder{
	Name:        NDJSON.Name,
	ContentType: NDJSON.ContentType,
	Append:      func(dst []byte, _ longwire.Kind, p []byte) []byte { return append(append(dst, p...), '\n') },
	Close: func(dst []byte, c *longwire.Close) []byte {
		return append(wire.AppendClose(dst, c.Code, c.Reason, c.Retry), '\n')
	},
}

var framePoll = &Encoder{
	Name:        Poll.Name,
	ContentType: Poll.ContentType,
	Append:      func(dst []byte, _ longwire.Kind, p []byte) []byte { return append(dst, p...) },
	Close:       func(dst []byte, c *longwire.Close) []byte { return Poll.Close(dst, final(c)) },
	poll:        true,
}

var pingFrame = []byte(`{"op":"ping"`)

func appendFrameLine(dst, p []byte) []byte {
	if bytes.HasPrefix(p, pingFrame) {
		return append(dst, ": ping"...)
	}
	return append(append(dst, "data: "...), p...)
}

// final is an end as frames tell it: what does not help by itself is never to be tried again.
func final(c *longwire.Close) *longwire.Close {
	if c.Retry != 0 || cmp.Or(c.Code, wire.CodeNormal).Retryable() {
		return c
	}
	never := *c
	never.Retry = -1
	return &never
}
