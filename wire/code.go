package wire

import "iter"

// A Code is a stable name for one way in which something ends or is refused. The list is closed: a code is
// never renamed, and its numbers never change, because programs in other languages branch on them.
//
// The same code travels in three ways: as text in frames and in application/problem+json, as an HTTP status,
// and as a WebSocket close code. An end that RFC 6455 section 7.4.1 has a number for uses that number; every
// other code has a number of its own from 4000 to 4099, so the way back from a close code is exact.
type Code string

// Ends that are nobody's fault.
const (
	CodeNormal     Code = "normal"
	CodeGoingAway  Code = "going_away"
	CodeDraining   Code = "draining"
	CodeLifetime   Code = "lifetime"   // a stream reached its bounded lifetime
	CodeSuperseded Code = "superseded" // a newer link or poll took over
	CodeLost       Code = "lost"       // a cut without a goodbye; told by our side, never received
)

// Bytes that break a rule of the transport.
const (
	CodeProtocolError    Code = "protocol_error"
	CodeUnsupportedData  Code = "unsupported_data"
	CodeBadUTF8          Code = "bad_utf8"
	CodeTooLarge         Code = "too_large"
	CodeTooManyFragments Code = "too_many_fragments"
	CodeWrongProtocol    Code = "wrong_protocol" // for instance HTTP spoken to the TCP port
	CodeNeedsTLS         Code = "needs_tls"
)

// Peers that are too slow, or silent.
const (
	CodeHandshakeTimeout Code = "handshake_timeout"
	CodeIdleTimeout      Code = "idle_timeout"
	CodeSlowConsumer     Code = "slow_consumer"
)

// Requests that cannot be understood or are not welcome.
const (
	CodeBadRequest       Code = "bad_request"
	CodeBadFrame         Code = "bad_frame"
	CodeBadChannel       Code = "bad_channel"
	CodeBadOrigin        Code = "bad_origin"
	CodeBadHost          Code = "bad_host"
	CodeBadUpgrade       Code = "bad_upgrade"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeNotFound         Code = "not_found"
	CodeUnauthorized     Code = "unauthorized"
	CodeForbidden        Code = "forbidden"
	CodeRateLimited      Code = "rate_limited"
)

// Answers of sessions and channels.
const (
	CodeUnknownOp         Code = "unknown_op"
	CodeAlreadySubscribed Code = "already_subscribed"
	CodeNotSubscribed     Code = "not_subscribed"
	CodeNeedsHistory      Code = "needs_history"
	CodeOutOfOrder        Code = "out_of_order"
	CodeSessionMoved      Code = "session_moved"
	CodeOutcomeUnknown    Code = "outcome_unknown"
	CodeKeyReused         Code = "key_reused"
)

// Trouble on the server's side.
const (
	CodeNoSpace      Code = "no_space"
	CodeUnavailable  Code = "unavailable"
	CodeOverloaded   Code = "overloaded"
	CodeInternal     Code = "internal"
	CodeHandlerPanic Code = "handler_panic"
)

// An Info is what is fixed about one code.
type Info struct {
	Code      Code
	Status    int    // HTTP status
	CloseCode uint16 // WebSocket close code that may be sent
	Retry     bool   // the same thing may succeed later, without anything being changed
	Message   string // one line that says what to do; short enough for a close reason
}

// table is the closed list. Statuses of codes that end a link after its HTTP status has long gone out are
// for logs and for the admin API. A code with Retry false needs a change by somebody first: in the program,
// in its configuration, in its credentials.
var table = []Info{
	{CodeNormal, 200, 1000, false, "closed as asked; nothing to do"},
	{CodeGoingAway, 503, 1001, true, "the other end is going away; connect again and resume"},
	{CodeDraining, 503, 4000, true, "this server is being restarted; connect again after the time given"},
	{CodeLifetime, 200, 4001, true, "this stream reached its lifetime; connect again at once and resume"},
	{CodeSuperseded, 409, 4002, false, "a newer connection took over; stop using this one"},
	{CodeLost, 502, 4003, true, "the connection was cut without a goodbye; connect again and resume"},

	{CodeProtocolError, 400, 1002, false, "the bytes break the protocol; correct the client"},
	{CodeUnsupportedData, 415, 1003, false, "this kind of message is not taken here; send the other kind (text or binary)"},
	{CodeBadUTF8, 400, 1007, false, "text must be valid UTF-8; send other bytes as binary"},
	{CodeTooLarge, 413, 1009, false, "the message is over the limit; send a smaller one or raise the limit"},
	{CodeTooManyFragments, 413, 4004, false, "the message came in too many fragments; send fewer, larger ones"},
	{CodeWrongProtocol, 400, 4005, false, "this port speaks another protocol; check the port and the scheme of the address"},
	{CodeNeedsTLS, 400, 4006, false, "this port takes TLS only; connect with TLS"},

	{CodeHandshakeTimeout, 408, 4010, true, "the handshake took too long; connect and send the first bytes at once"},
	{CodeIdleTimeout, 408, 4011, true, "nothing was heard for too long; answer pings, connect again and resume"},
	{CodeSlowConsumer, 408, 4012, true, "too much waited to be read; read faster or subscribe to less, then resume"},

	{CodeBadRequest, 400, 4020, false, "the request cannot be understood; correct it as the message says"},
	{CodeBadFrame, 400, 4021, false, "the frame cannot be decoded; send one valid frame per message or line"},
	{CodeBadChannel, 400, 4022, false, "use 1 to 16 tokens joined by dots, each 1 to 64 of A-Z a-z 0-9 _ - : @ ="},
	{CodeBadOrigin, 403, 4023, false, "pages of this origin are not allowed; add it with --allow-origin"},
	{CodeBadHost, 421, 4024, false, "this host name is not served here; use localhost or listen on an address"},
	{CodeBadUpgrade, 400, 4025, false, "not a valid WebSocket handshake; see RFC 6455 section 4.1"},
	{CodeMethodNotAllowed, 405, 4026, false, "use a method that the Allow header names"},
	{CodeNotFound, 404, 4027, false, "there is nothing here; check the address"},
	{CodeUnauthorized, 401, 4028, false, "credentials are missing or no longer valid; get new ones"},
	{CodeForbidden, 403, 4029, false, "these credentials do not allow it; ask for the permission"},
	{CodeRateLimited, 429, 4030, true, "too many requests; wait for the time given, then go on slower"},

	{CodeUnknownOp, 400, 4040, false, "this op is not known; check its spelling and the server's version"},
	{CodeAlreadySubscribed, 409, 4041, false, "already subscribed to this name; unsubscribe first to start elsewhere"},
	{CodeNotSubscribed, 409, 4042, false, "not subscribed to this name; subscribe first"},
	{CodeNeedsHistory, 409, 4043, false, "this channel keeps no history; give it some, or stream it"},
	{CodeOutOfOrder, 409, 4044, true, "frames before these have not come; send the missing ones, then these"},
	{CodeSessionMoved, 410, 4045, true, "the session is no longer here; connect with its id and secret to resume it"},
	{CodeOutcomeUnknown, 504, 4046, false, "it may or may not have happened; find out before doing it again"},
	{CodeKeyReused, 422, 4047, false, "this key was used with other data; use a new key for new data"},

	{CodeNoSpace, 507, 4060, true, "the server's disk is nearly full; make room there, then try again"},
	{CodeUnavailable, 503, 4061, true, "a part of the server cannot be reached; try again later"},
	{CodeOverloaded, 503, 1013, true, "the server has no room now; try again after the time given"},
	{CodeInternal, 500, 1011, true, "something failed inside the server; try again later, its log says more"},
	{CodeHandlerPanic, 500, 4062, true, "the server's handler failed; connect again, its log says more"},
}

var (
	byCode      = make(map[Code]Info, len(table))
	byCloseCode = map[uint16]Code{
		// Numbers that we do not send, but that others do. 1005 and 1006 are never on the wire: they are
		// what a browser or a library reports for a close without a number and for a cut.
		1005: CodeNormal,
		1006: CodeLost,
		1008: CodeForbidden,
		1010: CodeBadUpgrade,
		1012: CodeDraining,
		1014: CodeUnavailable,
		1015: CodeLost,
	}
)

func init() {
	for _, i := range table {
		byCode[i.Code] = i
		byCloseCode[i.CloseCode] = i.Code
	}
}

// Codes walks all codes, in the order of the documentation.
func Codes() iter.Seq[Code] {
	return func(yield func(Code) bool) {
		for _, i := range table {
			if !yield(i.Code) {
				return
			}
		}
	}
}

// Known reports whether c is in the list. A code of a newer peer may not be.
func (c Code) Known() bool {
	_, ok := byCode[c]
	return ok
}

// Info returns what is fixed about c. A code that is not in the list is treated as [CodeInternal] is, under
// its own name, so that an older client goes on working with a newer server.
func (c Code) Info() Info {
	if i, ok := byCode[c]; ok {
		return i
	}
	i := byCode[CodeInternal]
	i.Code = c
	return i
}

// Status returns the HTTP status that c is answered with.
func (c Code) Status() int { return c.Info().Status }

// CloseCode returns the WebSocket close code that c is sent as.
func (c Code) CloseCode() uint16 { return c.Info().CloseCode }

// Retryable reports whether the same thing may succeed later without anything being changed: for a link
// that was closed, whether to connect again.
func (c Code) Retryable() bool { return c.Info().Retry }

// FromCloseCode returns the code that a peer meant by a WebSocket close code. It is the inverse of
// [Code.CloseCode] and also knows the registered numbers that longwire does not send. The result is empty
// for 3000 to 4999 outside the list, which belong to the application, and [CodeProtocolError] for what
// RFC 6455 section 7.4 does not allow on the wire.
func FromCloseCode(n uint16) Code {
	if c, ok := byCloseCode[n]; ok {
		return c
	}
	if n >= 3000 && n <= 4999 {
		return ""
	}
	return CodeProtocolError
}
