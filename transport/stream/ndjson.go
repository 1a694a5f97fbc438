package stream

import (
	"encoding/base64"
	"encoding/json"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// NDJSON is one JSON value on each line. A text is a JSON string, JSON is the
// value itself, compacted; binary is {"data64":…} in base64. An empty line is a
// heartbeat. The last line is {"op":"close","code":…,"reason":…,"retry":…}.
var NDJSON = &Encoder{
	Name:        "ndjson",
	ContentType: "application/x-ndjson",
	Append:      func(dst []byte, k longwire.Kind, p []byte) []byte { return append(appendValue(dst, k, p), '\n') },
	Close: func(dst []byte, c *longwire.Close) []byte {
		return append(appendCloseJSON(append(dst, `{"op":"close",`...), c), "}\n"...)
	},
	Ping: "\n",
}

// Poll is long-polling: each answer is {"messages":[…]} with the values that
// NDJSON has on its lines; "answer", its number, for a link that is polled again
// and again; and "close":{"code":…,"reason":…,"retry":…} in the last.
var Poll = &Encoder{
	Name:        "poll",
	ContentType: "application/json",
	Append:      appendValue,
	Close: func(dst []byte, c *longwire.Close) []byte {
		return append(appendCloseJSON(append(dst, '{'), c), '}')
	},
	poll: true,
}

// Lines is plain text for people: each message as it is, and a line feed. It
// cannot tell a message with line feeds from several. An empty line is a
// heartbeat.
var Lines = &Encoder{
	Name:        "lines",
	ContentType: "text/plain; charset=utf-8",
	Append:      func(dst []byte, _ longwire.Kind, p []byte) []byte { return append(append(dst, p...), '\n') },
	Ping:        "\n",
}

func appendValue(dst []byte, kind longwire.Kind, p []byte) []byte {
	switch kind {
	case longwire.Binary:
		dst = append(dst, `{"data64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, p)
		return append(dst, `"}`...)
	case longwire.JSON:
		if dst, ok := appendCompact(dst, p); ok {
			return dst
		}
	}
	return wire.AppendString(dst, p)
}

// appendCompact appends a JSON value on one line. If p is not JSON it appends nothing.
func appendCompact(dst, p []byte) ([]byte, bool) {
	if !json.Valid(p) {
		return dst, false
	}
	return wire.AppendCompact(dst, p), true
}

// appendCredentials appends what a client needs to talk back.
func appendCredentials(dst []byte, link, secret string) []byte {
	dst = wire.AppendString(append(dst, `{"link":`...), link)
	dst = wire.AppendMember(dst, "secret", secret)
	return append(dst, '}')
}
