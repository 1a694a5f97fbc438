package ws

import (
	"net/http"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

// Way is WebSocket as a way to a node:
//
//	mux.Handle("/", node.Handler(ws.Way))
var Way longwire.Way = way{}

// Subprotocol names the session protocol in JSON (docs/protocol.md, section 2.3).
const subprotocol = "longwire.v1.json"

type way struct{}

// Takes implements [longwire.Way]. A request that asks for WebSocket in a
// wrong way is this way's too: the handler says what is wrong with it.
func (way) Takes(r *http.Request) bool {
	return frame.HeaderHasToken(r.Header["Upgrade"], "websocket")
}

// Handler implements [longwire.Way]. Which pages may connect the node has
// decided before.
func (way) Handler(o *longwire.WayOptions) http.Handler {
	n := o.Node
	if n == nil {
		n = &longwire.Options{}
	}
	return &Handler{
		Acceptor:     o.Acceptor,
		Engine:       o.Engine,
		Subprotocols: []string{subprotocol},
		Origins:      []string{"*"},
		MaxMessage:   wire.MaxFrame(n.MaxMessage),
		Log:          n.Log,
	}
}
