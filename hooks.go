package longwire

import (
	"net/http"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// What a node's receivers and the transports of this module know of each other
// beyond Link and Receiver. Each is an optional second interface, looked for by
// whoever calls it. All run on the link's loop unless they say otherwise.

// For the transports to look for in a Receiver; they declare them themselves.
type (
	// An ender and a leaver are what Receiver says.
	ender  interface{ Ended(now time.Time) }
	leaver interface{ Leave(now time.Time) }
	// A heart speaks after a silence: where it stands. It sends that itself.
	heart interface {
		// Heartbeat is called when the transport would send a ping of its own, or
		// just before it does so on a WebSocket. It returns true if the peer was sent
		// something. Polls need none: their answers say where a standing stands.
		Heartbeat(now time.Time) bool
		// Answers reports whether the peer answers pings, so that its silence means
		// that it is gone. WebSockets need not ask: every one answers.
		Answers() bool
	}
	// A header has something to add to the header of a stream's response, after
	// Accept and before it leaves.
	header interface {
		// Header sets what it has to say, and returns the position at which the
		// stream begins, for the first id of an SSE stream.
		Header(h http.Header) Position
	}
	// A standing knows at each answer of long-polling where it stands then: for the
	// header Longwire-Position and the member position. It may set further headers.
	standing interface {
		Standing(h http.Header) Position
	}
	// A settler may be about to send something by itself, as what it reads from
	// history. While it has not settled, a poll whose time is over, perhaps at
	// once, waits for something to be sent or for Wake of the link, for 5 s at
	// most. So a poll that does not wait gets what history has.
	settler interface {
		Settled() bool
	}
)

// For a transport to look for in an Acceptor, from the request's goroutine.
type placer interface {
	// LoopFor returns the loop that the link of a request is to live on; body is
	// that of the POST that opens a link that is polled. Nil leaves the choice.
	LoopFor(r *http.Request, body []byte) *loop.Loop
}

// For the node to look for in a Link.
type (
	// A mover can move to another loop. Move ends the turn's reading; what was not
	// read waits. Then runs on the other loop, unless the link is closed before;
	// then Closed follows there or here.
	mover interface {
		Move(to *loop.Loop, then func(now time.Time))
	}
	// A tailed link ends each id of its stream with "/" and the tail. All tails of
	// a form have the same length.
	tailed interface {
		SetTail(tail string)
	}
	// A polled link answers GETs that poll it, and numbers its answers. Those of a
	// session's links have different numbers, so that no poll of an earlier one, late
	// as it may come, acknowledges what its client has not seen.
	polled interface {
		// ServePoll answers one. Any goroutine.
		ServePoll(w http.ResponseWriter, r *http.Request)
		// Numbered returns the highest number that an answer has or may yet get.
		Numbered() uint64
		// NumberOn has a link that has not answered yet number on from there.
		NumberOn(from uint64)
	}
	// A waker is to be woken whenever its receiver, a settler, has settled. Others
	// than links that are polled do nothing then.
	waker interface {
		Wake()
	}
)

var _ = []any{(ender)(nil), (leaver)(nil), (heart)(nil), (header)(nil), (standing)(nil), (placer)(nil), (mover)(nil), (tailed)(nil), (polled)(nil), (settler)(nil), (waker)(nil)}

// A Way is a transport over HTTP, as [Node.Handler] mounts it: ws.Way, stream.Way.
type Way interface {
	// Takes reports whether the request is this way's.
	Takes(r *http.Request) bool
	// Handler returns what makes links of requests.
	Handler(o *WayOptions) http.Handler
}

// WayOptions say what a [Way] serves.
type WayOptions struct {
	Acceptor Acceptor // takes the links: a node's sessions, or its readers
	Engine   *Engine  // never nil
	// Node is where the session protocol's options come from.
	Node *Options
	// Session is whether links carry sessions, both ways, or are for reading only.
	Session bool
}
