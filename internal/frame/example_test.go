package frame_test

import (
	"fmt"

	"github.com/longwire/longwire/internal/frame"
)

// A server receives what a client sent, in two pieces as a network may bring it.
func ExampleReader() {
	stream := frame.AppendMasked(nil, frame.Text, 0x2F6B19A4, []byte("hello"))
	stream = frame.AppendMaskedClose(stream, frame.CloseNormal, "done", 0x77C01E5B)

	r := frame.Reader{Config: &frame.Config{Server: true}}
	defer r.Release()
	var p []byte
	for _, piece := range [][]byte{stream[:8], stream[8:]} {
		p = append(p, piece...)
		for {
			ev, n, err := r.Next(p)
			p = p[n:]
			if err != nil {
				fmt.Println(err)
				return
			}
			if ev.Op == frame.None {
				break
			}
			fmt.Printf("%d %d %q\n", ev.Op, ev.Code, ev.Data)
		}
	}
	// Output:
	// 1 0 "hello"
	// 8 1000 "done"
}

// A server answers a handshake.
func ExampleAcceptKey() {
	fmt.Println("Sec-WebSocket-Accept:", frame.AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="))
	// Output:
	// Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
}
