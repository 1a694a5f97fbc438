//go:build linux

package main

import (
	"net"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/tcp"
)

func init() {
	Register(Server{Name: "longwire", Workloads: []string{TCPEcho, IdleTCP}, Start: startLongwireTCP})
}

func startLongwireTCP(o *Options) (*Running, error) {
	ln, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	s := &tcp.Server{Acceptor: &longwire.Plain{
		Message: func(c *longwire.Conn, k longwire.Kind, p []byte) { c.Send(k, p) },
		OnLoop:  true,
	}}
	go s.Serve(ln) // until the process ends
	return &Running{}, nil
}
