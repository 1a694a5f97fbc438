package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/client"
	"github.com/longwire/longwire/transport/ws"
)

// A client that publishes hears itself, if it is subscribed.
func ExampleDial() {
	ctx := context.Background()
	addr, stop := serveExample(ctx)
	defer stop()

	c, err := client.Dial(ctx, addr, nil) // nil: by WebSocket
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	heard := make(chan string, 1) // the hook must not wait for what waits for the client, as Publish does below
	_, err = c.Subscribe(ctx, "news", &client.SubscribeOptions{
		Message: func(m *client.Message) { heard <- string(m.Data.Bytes) },
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Publish(ctx, "news", client.Data{Type: client.JSON, Bytes: []byte(`{"hello": "world"}`)}, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-heard)
	// Output: {"hello":"world"}
}

// serveExample serves what `longwire serve` does, by WebSocket only.
func serveExample(ctx context.Context) (addr string, stop func()) {
	engine, err := longwire.NewEngine(nil)
	if err != nil {
		log.Fatal(err)
	}
	node, err := longwire.New(&longwire.Options{Open: true, Engine: engine})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := longwire.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: node.Handler(ws.Way)}
	done := make(chan struct{})
	go func() {
		srv.Serve(ln)
		close(done)
	}()
	return "http://" + ln.Addr().String(), func() {
		srv.Close()
		<-done
		engine.Close(ctx)
		node.Close(ctx)
	}
}
