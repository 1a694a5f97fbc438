//go:build linux

package main

import (
	"context"
	"net"
	"net/http"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/transport/ws"
)

func init() {
	Register(Server{
		Name: "longwire", Start: startNodeHTTP, Speaks: &sessionWS,
		Workloads: []string{SessionIdleWS, SessionBroadcast, SessionChat, SessionPatterns, SessionFan, SessionCall},
	})
	Register(Server{Name: fewPatterns, Workloads: []string{SessionPatterns}, Start: startNodeHTTP, Speaks: &sessionWS})
	Register(Server{Name: "longwire", Workloads: []string{SessionIdleTCP}, Start: startNodeTCP, Speaks: &sessionLines})
	Register(Server{Name: "longwire-handler", Workloads: []string{SessionCall}, Start: startLongwireHandler})
}

// newNode lets sessions do as they like, as often as they like: the client is the load.
func newNode() (*longwire.Node, error) {
	return longwire.New(&longwire.Options{
		Open: true, Rate: -1,
		Handler: longwire.Handler{Call: func(_ *longwire.Session, c *longwire.Call) { _ = c.Reply(c.Kind, c.Data) }},
	})
}

func startNodeHTTP(o *Options) (*Running, error) {
	node, err := newNode()
	if err != nil {
		return nil, err
	}
	ln, err := longwire.Listen(context.Background(), o.Addr)
	if err != nil {
		return nil, err
	}
	go func() { _ = http.Serve(ln, node.Handler(ws.Way, stream.Way)) }() // until the process ends
	return &Running{}, nil
}

func startNodeTCP(o *Options) (*Running, error) {
	node, err := newNode()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	s := tcp.Session(node)
	go func() { _ = s.Serve(ln) }() // until the process ends
	return &Running{}, nil
}
