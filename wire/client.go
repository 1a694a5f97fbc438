package wire

// What a client says (docs/protocol.md, section 3). Each function appends one frame, without a line end; an id
// of zero and empty strings are left out. [AppendSend], [AppendPing] and [AppendPong] are for both ends.

// Connect is what a client says of itself when its session begins or is to go on.
type Connect struct {
	ID      uint64
	Version int
	Token   string
	Session string // with Secret, the session to resume
	Secret  string
	Name    string // for logs; at most MaxName bytes
	// Subscribe is the session's subscriptions from now on. Nil leaves those of a resumed session as they are;
	// an empty list ends them.
	Subscribe []Want
}

// A Want is a channel or pattern to subscribe to, and where to begin: now, if Since is empty.
type Want struct{ Channel, Since string }

// AppendConnect appends the frame that begins or resumes a session.
func AppendConnect(dst []byte, c *Connect) []byte {
	dst = appendID(append(dst, `{"op":"connect"`...), c.ID)
	if c.Version != 0 {
		dst = AppendNumber(dst, "version", int64(c.Version))
	}
	dst = appendSome(dst, "token", c.Token)
	dst = appendSome(dst, "session", c.Session)
	dst = appendSome(dst, "secret", c.Secret)
	dst = appendSome(dst, "name", c.Name)
	if c.Subscribe != nil {
		dst = append(dst, `,"subscribe":[`...)
		for i, w := range c.Subscribe {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(append(dst, `{"channel":`...), w.Channel)
			dst = append(appendSome(dst, "since", w.Since), '}')
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// AppendSubscribe appends the frame that subscribes to a channel or pattern.
func AppendSubscribe(dst []byte, id uint64, channel, since string) []byte {
	return append(appendSome(appendAsk(dst, OpSubscribe, id, channel), "since", since), '}')
}

// AppendUnsubscribe appends the frame that ends a subscription.
func AppendUnsubscribe(dst []byte, id uint64, channel string) []byte {
	return append(appendAsk(dst, OpUnsubscribe, id, channel), '}')
}

// AppendPublish appends the frame that publishes. The data is as [AppendData] wants it; the key makes it safe
// to send the frame again.
func AppendPublish(dst []byte, id uint64, channel string, t Type, contentType string, data []byte, key string, headers map[string]string) []byte {
	dst = AppendData(appendAsk(dst, OpPublish, id, channel), t, contentType, data)
	return append(appendHeaders(appendSome(dst, "key", key), headers), '}')
}

// AppendCall appends the frame that asks for an answer. The data is as [AppendData] wants it.
func AppendCall(dst []byte, id uint64, method string, t Type, data []byte) []byte {
	dst = AppendMember(appendID(append(dst, `{"op":"call"`...), id), "method", method)
	return append(AppendData(dst, t, "", data), '}')
}

// AppendPresence appends the frame that asks who is subscribed to a channel.
func AppendPresence(dst []byte, id uint64, channel string) []byte {
	return append(appendAsk(dst, OpPresence, id, channel), '}')
}

// AppendHistory appends the frame that asks for what was published to a channel, limit of it at most; zero
// leaves that to the server.
func AppendHistory(dst []byte, id uint64, channel, since string, limit int) []byte {
	dst = appendSome(appendAsk(dst, OpHistory, id, channel), "since", since)
	if limit > 0 {
		dst = AppendNumber(dst, "limit", int64(limit))
	}
	return append(dst, '}')
}

// AppendRefresh appends the frame that renews a session's token.
func AppendRefresh(dst []byte, id uint64, token string) []byte {
	dst = appendID(append(dst, `{"op":"refresh"`...), id)
	return append(AppendMember(dst, "token", token), '}')
}

// appendAsk begins a frame about a channel.
func appendAsk(dst []byte, op Op, id uint64, channel string) []byte {
	dst = append(append(dst, `{"op":"`...), op.String()...)
	return AppendMember(appendID(append(dst, '"'), id), "channel", channel)
}
