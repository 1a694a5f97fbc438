// Command ws-echo echoes what any WebSocket client says to
// ws://127.0.0.1:8080/echo, text as text and binary as binary.
package main

import (
	"log"
	"net/http"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/ws"
)

func main() {
	http.Handle("/echo", &ws.Handler{
		Acceptor: &longwire.Plain{
			Message: func(c *longwire.Conn, kind longwire.Kind, p []byte) { c.Send(kind, p) },
		},
	})
	log.Fatal(longwire.ListenAndServe("127.0.0.1:8080", nil))
}
