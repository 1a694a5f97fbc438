// Command secure-echo is one echo handler on TCP with TLS (127.0.0.1:8888)
// and on secure WebSocket (wss://localhost:8080/echo). It takes the files of a
// certificate and its key: secure-echo cert.pem key.pem
package main

import (
	"crypto/tls"
	"log"
	"net/http"
	"os"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/transport/ws"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: secure-echo CERT KEY")
	}
	cert, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	echo := &longwire.Plain{
		Message: func(c *longwire.Conn, kind longwire.Kind, p []byte) { c.Send(kind, p) },
	}
	go func() {
		srv := &tcp.Server{Acceptor: echo, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}
		log.Fatal(srv.ListenAndServe("127.0.0.1:8888"))
	}()
	http.Handle("/echo", &ws.Handler{Acceptor: echo})
	log.Fatal(longwire.ListenAndServeTLS("127.0.0.1:8080", os.Args[1], os.Args[2], nil))
}
