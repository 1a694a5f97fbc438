package wire

import "time"

// Sizes. Those that a server may change are its defaults, told to clients in `connected`.
const (
	// MaxMessage is the default bound on the data of one message, in bytes. 1 MiB holds any message that
	// is meant to reach many people at once; what is larger belongs in an object store, with its address
	// in the message.
	MaxMessage = 1 << 20

	// MaxReason is the most text that a WebSocket Close frame has room for, in bytes: a control frame's
	// 125 less the two of the code (RFC 6455 section 5.5.1). Other transports keep to it too, so that a
	// reason reads the same on all of them.
	MaxReason = 123

	// MaxPosition is the most that a position may take, in bytes of ASCII: it must fit into a header, a
	// query string and the `id` of a server-sent event.
	MaxPosition = 128

	// MaxTokens and MaxToken bound a channel name: the number of its tokens and the bytes of each. A
	// user id of 64 bytes still makes one token.
	MaxTokens = 16
	MaxToken  = 64

	// MaxChannel is the longest channel name that follows from them, dots included.
	MaxChannel = MaxTokens*MaxToken + MaxTokens - 1

	// MaxID is the largest `id` of a client's frame: the largest integer that a JavaScript number holds
	// exactly.
	MaxID = 1<<53 - 1

	// MaxDepth is how deep the arrays and objects of a frame may nest, its own braces included. Nobody's data
	// comes near it, and programs that read JSON by recursion can follow.
	MaxDepth = 512

	// MaxKey, MaxMethod and MaxName bound what the server keeps or logs of a frame, in bytes. A key has room for
	// two UUIDs and a prefix.
	MaxKey    = 128
	MaxMethod = 128
	MaxName   = 64

	// MaxCredential bounds the `token` of a frame, in bytes. 16 KiB hold a JWT with more claims than any proxy
	// would let through in a header.
	MaxCredential = 16 << 10

	// MaxHeaders and MaxHeaderBytes bound a publication's headers: how many, and the bytes of all names and
	// values together.
	MaxHeaders     = 16
	MaxHeaderBytes = 4 << 10

	// MaxContentType is the longest media type of data: the two names of RFC 6838 section 4.2, at the length
	// that it recommends.
	MaxContentType = 127
)

// MaxFrame returns the most that a frame may take in bytes where the data of a message may have so many,
// zero meaning [MaxMessage]. Data that is no text travels in base64, 4 bytes for 3; 4 KiB are for the rest of
// the frame: channel, key, headers. However small messages are, 64 KiB leave room for a `connect` with its
// token and its list of subscriptions.
func MaxFrame(message int) int {
	if message <= 0 {
		message = MaxMessage
	}
	return max(64<<10, (message+2)/3*4+4<<10)
}

// Queues of one connection. Past them the peer is not read (incoming) or is served from history (outgoing).
const (
	// MaxQueuedOut bounds what waits for one link beyond the kernel's own buffer, in bytes: 16 KiB, or one
	// message if that is larger. Small, because at 19,000 connections it is 300 MiB when all are slow.
	MaxQueuedOut = 16 << 10

	// MaxQueuedIn and MaxQueuedInBytes bound what waits for a handler that blocks.
	MaxQueuedIn      = 16
	MaxQueuedInBytes = 64 << 10
)

// Times.
const (
	// HandshakeTimeout bounds the time from accepting a connection to the end of its handshake. Ten seconds
	// let a phone on a bad network finish TLS, and free the descriptor of one that says nothing.
	HandshakeTimeout = 10 * time.Second

	// PingAfter is the silence after which a WebSocket or TCP link is pinged. 25 s stay below the 30 s
	// after which the least patient mobile networks forget an idle connection.
	PingAfter = 25 * time.Second

	// StreamPingAfter is the same for HTTP streams, where only the server can speak and proxies commonly
	// cut at 60 s, some at 20.
	StreamPingAfter = 15 * time.Second

	// DeadAfter is the silence after which a link is taken for dead unless we paused reading it: a ping at
	// 25 s and 10 s for its answer.
	DeadAfter = 35 * time.Second

	// FlushTimeout bounds how long a closing link may take to send what it owes.
	FlushTimeout = time.Second
)
