package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Frames are written by appending their pieces: channel names, positions,
// codes and times need no escaping, and data arrives here as JSON already.

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

// appendData appends the members that carry a publication's data: a JSON value
// as it is, without white space, text as a string, other bytes as base64. It
// fails for JSON and text that are none.
func appendData(dst []byte, kind longwire.Kind, p []byte) ([]byte, error) {
	if kind != longwire.Binary && !utf8.Valid(p) {
		return nil, &wire.Error{Code: wire.CodeBadUTF8}
	}
	switch kind {
	case longwire.JSON:
		b := bytes.NewBuffer(append(dst, `"data":`...))
		if err := json.Compact(b, p); err != nil {
			return nil, wire.Errorf(wire.CodeBadRequest, "the data is not valid JSON (%s); correct it, or send it as text/plain", err)
		}
		return b.Bytes(), nil
	case longwire.Text:
		return appendString(append(dst, `"type":"text","data":`...), p), nil
	}
	dst = base64.StdEncoding.AppendEncode(append(dst, `"data64":"`...), p)
	return append(dst, '"'), nil
}

// appendMessage appends the frame of a publication. data is appendData's.
func appendMessage(dst []byte, channel string, number uint64, data []byte, t time.Time) []byte {
	if dst == nil {
		dst = make([]byte, 0, len(`{"op":"message","channel":"","position":"0-","time":"",}`)+len(channel)+20+len(data)+len(timeFormat))
	}
	dst = appendChannel(append(dst, `{"op":"message"`...), channel)
	dst = appendPosition(dst, `"position"`, number)
	dst = append(append(dst, ','), data...)
	dst = t.UTC().AppendFormat(append(dst, `,"time":"`...), timeFormat)
	return append(dst, `"}`...)
}

// appendGap appends the frame that confesses lost messages, all after the
// position of the last that was sent and up to that of the last that was not.
func appendGap(dst []byte, channel string, sent, dropped, lost uint64) []byte {
	dst = appendChannel(append(dst, `{"op":"gap"`...), channel)
	dst = appendPosition(dst, `"after"`, sent)
	dst = appendPosition(dst, `"position"`, dropped)
	dst = strconv.AppendUint(append(dst, `,"lost":`...), lost, 10)
	return append(dst, '}')
}

// appendReply begins a reply. The id is zero if the client gave none.
func appendReply(dst []byte, id uint64, channel string) []byte {
	return appendChannel(appendID(append(dst, `{"op":"reply"`...), id), channel)
}

// appendError appends the frame that refuses one.
func appendError(dst []byte, id uint64, e *wire.Error) []byte {
	dst = appendID(append(dst, `{"op":"error"`...), id)
	dst = append(append(dst, `,"code":"`...), e.Code...)
	dst = appendString(append(dst, `","message":`...), []byte(e.Text()))
	return append(appendRetry(dst, e.Retry, e.Retryable()), '}')
}

// appendClose appends the last frame of a connection.
func appendClose(dst []byte, c *longwire.Close) []byte {
	code := c.Code
	if code == "" {
		code = wire.CodeNormal
	}
	dst = append(append(dst, `{"op":"close","code":"`...), code...)
	dst = appendString(append(dst, `","reason":`...), []byte(c.Text()))
	return append(appendRetry(dst, c.Retry, code.Retryable()), '}')
}

// appendRetry appends the milliseconds to wait before trying again, -1 for never.
func appendRetry(dst []byte, d time.Duration, again bool) []byte {
	ms := int64((d + time.Millisecond - 1) / time.Millisecond)
	if d < 0 || d == 0 && !again {
		ms = -1
	}
	return strconv.AppendInt(append(dst, `,"retry":`...), ms, 10)
}

func appendChannel(dst []byte, channel string) []byte {
	return append(append(append(dst, `,"channel":"`...), channel...), '"')
}

func appendPosition(dst []byte, member string, number uint64) []byte {
	dst = append(append(append(dst, ','), member...), `:"`...)
	return append(positionOf(dst, number), '"')
}

// positionOf appends a position as clients see it: an epoch, which without
// history is always 0, and a number.
func positionOf(dst []byte, number uint64) []byte {
	return strconv.AppendUint(append(dst, "0-"...), number, 10)
}

func appendID(dst []byte, id uint64) []byte {
	if id == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, `,"id":`...), id, 10)
}

const hexDigits = "0123456789abcdef"

// appendString appends valid UTF-8 as a JSON string (RFC 8259, section 7).
func appendString(dst, p []byte) []byte {
	dst = append(dst, '"')
	plain := 0
	for i, c := range p {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, p[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, p[plain:]...), '"')
}
