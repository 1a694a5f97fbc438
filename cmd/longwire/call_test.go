package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/ws"
	"github.com/longwire/longwire/wire"
)

// serveCalls serves a program that handles calls, which `longwire serve` does
// not, and returns its address: echo answers what it is asked, hang up closes the
// session without an answer.
func serveCalls(t *testing.T) string {
	t.Helper()
	node, err := longwire.New(&longwire.Options{Handler: longwire.Handler{Call: func(s *longwire.Session, c *longwire.Call) {
		switch c.Method {
		case "echo":
			c.Reply(c.Kind, c.Data)
		case "hang up":
			s.Close(longwire.Close{Code: wire.CodeGoingAway})
		default:
			c.Fail(wire.Errorf(wire.CodeNotFound, "there is no %s", c.Method))
		}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := longwire.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: node.Handler(ws.Way, stream.Way)}
	done := make(chan struct{})
	go func() {
		srv.Serve(ln)
		close(done)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
		node.Close(context.Background())
	})
	return "http://" + ln.Addr().String()
}
