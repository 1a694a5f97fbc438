// Command chat is a room with three doors: TCP at 127.0.0.1:8888, WebSocket and
// Server-Sent Events at http://127.0.0.1:8080, where a page takes either. With nc:
//
//	{"op":"connect","name":"ann","subscribe":[{"channel":"room","since":"last:20"}]}
//	{"op":"publish","channel":"room","type":"text","data":"hello"}
//
// Who publishes to @ann instead whispers to ann, whichever door she came by.
package main

import (
	"context"
	"embed"
	"log"
	"net/http"
	"net/url"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/transport/ws"
	"github.com/longwire/longwire/wire"
)

//go:embed room.html
var page embed.FS

// enter believes whoever says a name, in a connect frame or in the address.
func enter(_ context.Context, r *longwire.ConnectRequest) (*longwire.Peer, error) {
	name := r.Name
	if u, err := url.Parse(r.Link.Target); err == nil && name == "" {
		name = u.Query().Get("name")
	}
	if name == "" {
		return nil, wire.Errorf(wire.CodeUnauthorized, "say who you are: a connect frame with name, or ?name=")
	}
	return &longwire.Peer{User: name}, nil
}

// say puts the speaker's name to what is said.
func say(_ context.Context, s *longwire.Session, p *longwire.Publication) error {
	if p.Kind != longwire.Text || len(p.Data) > 1000 {
		return wire.Errorf(wire.CodeBadRequest, "say it as text, in at most 1,000 bytes")
	}
	p.Headers = map[string]string{"by": s.Peer().User}
	return nil
}

func main() {
	node, err := longwire.New(&longwire.Options{Handler: longwire.Handler{Connect: enter, Publish: say}})
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(tcp.Session(node).ListenAndServe("127.0.0.1:8888")) }()
	sessions := node.Handler(ws.Way, stream.Way)
	http.Handle("/connect", sessions)
	http.Handle("/connect/", sessions)
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, page, "room.html") })
	log.Fatal(longwire.ListenAndServe("127.0.0.1:8080", nil))
}
