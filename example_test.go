package longwire_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/ws"
	"github.com/longwire/longwire/wire"
)

// A node in an HTTP server of one's own, whose program publishes what clients read.
func ExampleNode_Handler() {
	engine, err := longwire.NewEngine(nil) // most programs leave Options.Engine nil
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(context.Background())
	node, err := longwire.New(&longwire.Options{Open: true, Engine: engine})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Close(context.Background())
	srv := httptest.NewServer(node.Handler(ws.Way, stream.Way))
	defer srv.Close()

	if _, err := node.Publish(context.Background(), "news", []byte("hello"), &longwire.PublishOptions{Kind: longwire.Text}); err != nil {
		fmt.Println(err)
		return
	}
	defer http.DefaultClient.CloseIdleConnections()
	resp, err := http.Get(srv.URL + "/channels/news/history?raw")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	fmt.Println(string(b), err)
	// Output: hello <nil>
}

// Who connects says who he is by a token; the hooks decide what he may do.
func ExampleHandler() {
	h := longwire.Handler{
		Connect: func(_ context.Context, r *longwire.ConnectRequest) (*longwire.Peer, error) {
			user, ok := strings.CutPrefix(r.Token, "user:") // check a signature here
			if !ok {
				return nil, &wire.Error{Code: wire.CodeUnauthorized}
			}
			return &longwire.Peer{User: user}, nil
		},
		Publish: func(_ context.Context, s *longwire.Session, p *longwire.Publication) error {
			if p.Channel != "chat."+s.Peer().User {
				return wire.Errorf(wire.CodeForbidden, "publish to your own channel only")
			}
			return nil
		},
	}
	peer, err := h.Connect(context.Background(), &longwire.ConnectRequest{Token: "user:ann"})
	fmt.Println(peer.User, longwire.Inbox(peer.User), err)
	_, err = h.Connect(context.Background(), &longwire.ConnectRequest{})
	fmt.Println(err)
	// Output:
	// ann @ann <nil>
	// longwire: unauthorized: credentials are missing or no longer valid; get new ones
}
