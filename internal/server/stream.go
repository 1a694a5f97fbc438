package server

import (
	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
)

// How frames look in HTTP responses. What the room sends is JSON on one line
// already, so none of these looks at it again.

var sse = func() *stream.Encoder {
	e := *stream.SSE
	e.Append = func(dst []byte, _ longwire.Kind, p []byte) []byte {
		return append(append(append(dst, "data: "...), p...), "\n\n"...)
	}
	return &e
}()

var ndjson = func() *stream.Encoder {
	e := *stream.NDJSON
	e.Append = func(dst []byte, _ longwire.Kind, p []byte) []byte { return append(append(dst, p...), '\n') }
	e.Close = func(dst []byte, c *longwire.Close) []byte { return append(appendClose(dst, c), '\n') }
	e.Ping = `{"op":"ping"}` + "\n"
	return &e
}()

var poll = func() *stream.Encoder {
	e := *stream.Poll
	e.Append = func(dst []byte, _ longwire.Kind, p []byte) []byte { return append(dst, p...) }
	return &e
}()
