// Command tcp-echo answers every TCP client with what it says, on
// 127.0.0.1:8888, without any framing: `nc 127.0.0.1 8888` is a client.
package main

import (
	"log"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/tcp"
)

func main() {
	srv := &tcp.Server{
		Acceptor: &longwire.Plain{
			Message: func(c *longwire.Conn, kind longwire.Kind, p []byte) { c.Send(kind, p) },
			OnLoop:  true, // it never blocks, so it needs no goroutine
		},
	}
	log.Fatal(srv.ListenAndServe("127.0.0.1:8888"))
}
