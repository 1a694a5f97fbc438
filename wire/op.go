package wire

// An Op is what a frame is for: its member `op`.
type Op uint8

// The ops of both directions. The names of those that go both ways say the same in each.
const (
	OpNone Op = iota // missing, or not known

	OpConnect
	OpSubscribe
	OpUnsubscribe
	OpPublish
	OpCall
	OpHistory
	OpRefresh
	OpPresence // of a client: who is there? Of a server: who came and went
	OpSend
	OpPing
	OpPong

	OpConnected
	OpReply
	OpError
	OpMessage
	OpGap
	OpClose
)

var opNames = [...]string{
	OpConnect: "connect", OpSubscribe: "subscribe", OpUnsubscribe: "unsubscribe", OpPublish: "publish",
	OpCall: "call", OpHistory: "history", OpRefresh: "refresh", OpPresence: "presence", OpSend: "send",
	OpPing: "ping", OpPong: "pong", OpConnected: "connected", OpReply: "reply", OpError: "error",
	OpMessage: "message", OpGap: "gap", OpClose: "close",
}

// String returns the op as it stands in a frame; of [OpNone] and numbers beyond the list that is nothing.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return ""
}

// UnmarshalText reads an op. One that is not known becomes [OpNone], because a client ignores those.
func (o *Op) UnmarshalText(p []byte) error {
	*o = OpNone
	for i, name := range opNames {
		if string(p) == name {
			*o = Op(i)
		}
	}
	return nil
}

// clientOp returns the op of a client's frame, [OpNone] for what a client cannot say.
func clientOp(name []byte) Op {
	switch string(name) {
	case "connect":
		return OpConnect
	case "subscribe":
		return OpSubscribe
	case "unsubscribe":
		return OpUnsubscribe
	case "publish":
		return OpPublish
	case "call":
		return OpCall
	case "history":
		return OpHistory
	case "refresh":
		return OpRefresh
	case "presence":
		return OpPresence
	case "send":
		return OpSend
	case "ping":
		return OpPing
	case "pong":
		return OpPong
	}
	return OpNone
}
