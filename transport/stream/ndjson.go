package stream

import (
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"

	"github.com/longwire/longwire"
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
	return appendString(dst, p)
}

// appendCompact appends a JSON value without the white space between its
// tokens, so on one line, and with numbers and strings untouched. If p is not
// JSON it appends nothing.
func appendCompact(dst, p []byte) ([]byte, bool) {
	if !json.Valid(p) {
		return dst, false
	}
	quoted, from := false, 0
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\':
			i++ // only strings have one
		case !quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r'):
			dst = append(dst, p[from:i]...)
			from = i + 1
		}
	}
	return append(dst, p[from:]...), true
}

const hex = "0123456789abcdef"

// appendString appends p as a JSON string (RFC 8259, section 7). What is not
// UTF-8 becomes U+FFFD.
func appendString(dst, p []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(p); {
		c := p[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(p[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, p[from:i]...)
				dst = append(dst, "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			dst = appendEscape(append(dst, p[from:i]...), c)
			from = i + 1
		}
		i++
	}
	dst = append(dst, p[from:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// appendCredentials appends what a client needs to talk back.
func appendCredentials(dst []byte, link, secret string) []byte {
	dst = appendString(append(dst, `{"link":`...), []byte(link))
	dst = appendString(append(dst, `,"secret":`...), []byte(secret))
	return append(dst, '}')
}
