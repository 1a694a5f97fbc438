package tcp

import (
	"io"
	"net"
	"testing"

	"github.com/longwire/longwire"
)

func BenchmarkEchoOnLoop(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &Server{Acceptor: &longwire.Plain{OnLoop: true, Message: func(c *longwire.Conn, k longwire.Kind, p []byte) { c.Send(k, p) }}}
	go s.Serve(ln)
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(buf)
		io.ReadFull(c, buf)
	}
	c.Close()
	ln.Close()
}
