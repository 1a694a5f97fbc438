//go:build linux

package main

import (
	"crypto/tls"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/tcp"
)

func init() {
	Register(Server{Name: "longwire", Workloads: []string{IdleSSE}, Start: startLongwireSSE})
	Register(Server{Name: "longwire", Workloads: []string{IdleTLS}, Start: startLongwireTLS})
}

func startLongwireSSE(o *Options) (*Running, error) {
	return serveLongwire(o, &stream.Handler{Acceptor: &longwire.Plain{OnLoop: true}})
}

func startLongwireTLS(o *Options) (*Running, error) {
	cert, err := tls.X509KeyPair(o.CertPEM, o.KeyPEM)
	if err != nil {
		return nil, err
	}
	s := &tcp.Server{
		Acceptor: &longwire.Plain{Message: longwireEcho, OnLoop: true},
		TLS:      &tls.Config{Certificates: []tls.Certificate{cert}},
	}
	go func() { _ = s.ListenAndServe(o.Addr) }() // until the process ends
	return &Running{}, answers(o.Addr)
}
