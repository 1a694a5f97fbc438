package stream

import (
	"net/http"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
)

// Way is Server-Sent Events, NDJSON and long-polling as ways to a node:
//
//	mux.Handle("/", node.Handler(ws.Way, stream.Way))
//
// The handlers that it makes are of type *[Handler].
var Way longwire.Way = way{}

type way struct{}

// Takes implements [longwire.Way]. An offer to go over to another protocol than
// WebSocket, as some clients make of HTTP/2, need not be taken up (RFC 9110,
// section 7.8).
func (way) Takes(r *http.Request) bool {
	return !frame.HeaderHasToken(r.Header["Upgrade"], "websocket")
}

// Handler implements [longwire.Way].
func (way) Handler(o *longwire.WayOptions) http.Handler {
	n := o.Node
	if n == nil {
		n = &longwire.Options{}
	}
	return &Handler{
		Acceptor:   o.Acceptor,
		Encoders:   []*Encoder{frameNDJSON, frameSSE, framePoll},
		MaxMessage: n.MaxMessage,
		Engine:     o.Engine,
		Log:        n.Log,
		session:    o.Session,
	}
}
