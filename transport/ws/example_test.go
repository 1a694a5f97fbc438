package ws_test

import (
	"context"
	"log"
	"net/http"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/ws"
)

// Echo text as text and bytes as bytes, to pages of our own and of one other site.
func ExampleHandler() {
	http.Handle("/echo", &ws.Handler{
		Origins: []string{"self", "https://app.example.com"},
		Acceptor: &longwire.Plain{
			Message: func(c *longwire.Conn, kind longwire.Kind, p []byte) { c.Send(kind, p) },
			Close:   func(_ *longwire.Conn, err error) { log.Print(err) },
		},
	})
	ln, err := longwire.Listen(context.Background(), "127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, nil))
}
