package stream

import (
	"net/http"
	"strings"

	"github.com/longwire/longwire"
)

// Way mounts this package's streams in [longwire.Node.Handler]: Server-Sent
// Events, NDJSON and long-polling. It takes every request that does not ask for
// a WebSocket. The handlers that it makes have a Shutdown method.
var Way longwire.Way = way{}

type way struct{}

// Takes asks for WebSockets alone, because some clients offer to go over to
// HTTP/2 by the same header.
func (way) Takes(r *http.Request) bool {
	for _, v := range r.Header.Values("Upgrade") {
		for p := range strings.SplitSeq(v, ",") {
			if name, _, _ := strings.Cut(strings.TrimSpace(p), "/"); strings.EqualFold(name, "websocket") {
				return false
			}
		}
	}
	return true
}

func (way) Handler(o *longwire.WayOptions) http.Handler {
	h := &Handler{
		Acceptor: o.Acceptor, Engine: o.Engine, session: o.Session,
		Encoders: []*Encoder{frameNDJSON, frameSSE, framePoll},
	}
	if o.Node != nil {
		h.MaxMessage, h.Log = o.Node.MaxMessage, o.Node.Log
	}
	return h
}
