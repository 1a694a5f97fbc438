package tcp_test

import (
	"log"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/tcp"
)

// A node's sessions over TCP, in JSON lines: try it with nc.
func ExampleSession() {
	node, err := longwire.New(&longwire.Options{Open: true})
	if err != nil {
		log.Fatal(err)
	}
	srv := tcp.Session(node)
	srv.HTTP = "http://127.0.0.1:8080" // told to who speaks HTTP here
	log.Fatal(srv.ListenAndServe("127.0.0.1:8888"))
}
