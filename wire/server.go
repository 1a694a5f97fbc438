package wire

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// What a server says (docs/protocol.md, section 4). Each function appends one frame, without a line end,
// unless it says that it leaves the frame open: that takes further members, and ends with a brace.

// AppendMessageHead begins the message frame of a publication, as one channel or pattern that was subscribed
// to sees it; sub is that pattern, or empty. [AppendMessageTail] ends it. The head is made once for each name
// that was subscribed to, the tail once for all of them.
func AppendMessageHead(dst []byte, channel, position, sub string) []byte {
	dst = AppendString(append(dst, `{"op":"message","channel":`...), channel)
	dst = AppendString(append(dst, `,"position":`...), position)
	return appendSome(dst, "sub", sub)
}

// AppendItemHead begins the publication in a list, as a history has it: a message without op.
func AppendItemHead(dst []byte, channel, position string) []byte {
	dst = AppendString(append(dst, `{"channel":`...), channel)
	return AppendString(append(dst, `,"position":`...), position)
}

// AppendMessageTail appends what all the frames of a publication have in common, up to their end. The data is
// as [AppendData] wants it. From is left out if it is empty, headers if there are none.
func AppendMessageTail(dst []byte, t Type, contentType string, data []byte, at time.Time, from string, headers map[string]string) []byte {
	dst = AppendData(dst, t, contentType, data)
	dst = AppendTime(append(dst, `,"time":"`...), at)
	dst = append(dst, '"')
	dst = appendSome(dst, "from", from)
	dst = appendHeaders(dst, headers)
	return append(dst, '}')
}

// appendHeaders appends headers in the order of their names, so that a publication has one form only.
func appendHeaders(dst []byte, headers map[string]string) []byte {
	if len(headers) == 0 {
		return dst
	}
	var room [MaxHeaders]string
	names := slices.AppendSeq(room[:0], maps.Keys(headers))
	slices.Sort(names)
	dst = append(dst, `,"headers":`...)
	for i, name := range names {
		dst = append(dst, "{,"[min(i, 1)])
		dst = append(AppendString(dst, name), ':')
		dst = AppendString(dst, headers[name])
	}
	return append(dst, '}')
}

// AppendReply begins the reply to the frame with the given id, which is left out if it is zero. It is open:
// members follow by [AppendMember], [AppendNumber], [AppendTrue] and [AppendData], and a brace.
func AppendReply(dst []byte, id uint64) []byte {
	return appendID(append(dst, `{"op":"reply"`...), id)
}

// AppendChannelReply is [AppendReply] with the channel that the frame named.
func AppendChannelReply(dst []byte, id uint64, channel string) []byte {
	return AppendMember(AppendReply(dst, id), "channel", channel)
}

// AppendSubscribeReply appends the reply to subscribe: where the subscription stands, and whether what it
// asked for is not all there.
func AppendSubscribeReply(dst []byte, id uint64, channel, position string, gap bool) []byte {
	dst = AppendMember(AppendChannelReply(dst, id, channel), "position", position)
	if gap {
		dst = AppendTrue(dst, "gap")
	}
	return append(dst, '}')
}

// AppendError appends the frame that refuses one, with its id unless that is zero.
func AppendError(dst []byte, id uint64, e *Error) []byte {
	return append(appendError(appendID(append(dst, `{"op":"error"`...), id), e), '}')
}

func appendError(dst []byte, e *Error) []byte {
	dst = AppendMember(dst, "code", string(e.Code))
	dst = AppendMember(dst, "message", e.Text())
	return appendRetry(dst, e.Code, e.Retry)
}

// appendRetry appends the milliseconds to wait before trying again, -1 for never. Where no time is given the
// code says whether there is a sense in it.
func appendRetry(dst []byte, c Code, d time.Duration) []byte {
	if d == 0 && !c.Retryable() {
		d = -1
	}
	return AppendNumber(dst, "retry", Millis(d))
}

// AppendGap appends the frame that tells of publications that are not delivered: after the one position, up to
// the other, lost in number; zero if the number is not known.
func AppendGap(dst []byte, channel, after, position string, lost uint64) []byte {
	dst = AppendString(append(dst, `{"op":"gap","channel":`...), channel)
	dst = AppendMember(dst, "after", after)
	dst = AppendMember(dst, "position", position)
	if lost > 0 {
		dst = strconv.AppendUint(append(dst, `,"lost":`...), lost, 10)
	}
	return append(dst, '}')
}

// AppendPing appends a ping, with where the peer stands unless that is empty. A client's has no position.
func AppendPing(dst []byte, position string) []byte {
	return append(appendSome(append(dst, `{"op":"ping"`...), "position", position), '}')
}

// AppendPong appends the answer to a ping, with its id unless that is zero.
func AppendPong(dst []byte, id uint64) []byte {
	return append(appendID(append(dst, `{"op":"pong"`...), id), '}')
}

// AppendClose appends the last frame of a link. An empty code is [CodeNormal], an empty reason the code's own
// text; one over [MaxReason] bytes loses its end. Retry is when to connect again, negative for never; where it
// is zero the code says whether to.
func AppendClose(dst []byte, c Code, reason string, retry time.Duration) []byte {
	if c == "" {
		c = CodeNormal
	}
	if reason == "" {
		reason = c.Info().Message
	}
	dst = AppendMember(append(dst, `{"op":"close"`...), "code", string(c))
	dst = AppendMember(dst, "reason", ShortReason(reason))
	return append(appendRetry(dst, c, retry), '}')
}

// AppendSend appends a message that wants no answer, of either end. The data is as [AppendData] wants it.
func AppendSend(dst []byte, method string, t Type, data []byte) []byte {
	dst = AppendMember(append(dst, `{"op":"send"`...), "method", method)
	return append(AppendData(dst, t, "", data), '}')
}

func appendID(dst []byte, id uint64) []byte {
	if id == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, `,"id":`...), id, 10)
}
