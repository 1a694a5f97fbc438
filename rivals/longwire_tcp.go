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
		Message: longwireEcho,
		OnLoop:  true,
	}}
	go func() { _ = s.Serve(ln) }() // until the process ends
	return &Running{}, nil
}
