//go:build linux

package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
)

// The standard library: a goroutine and a 4 KB buffer for each connection, and an SSE handler that is not hijacked.
func init() {
	Register(Server{Name: "net", Workloads: []string{TCPEcho, IdleTCP, IdleTLS}, Start: startNet})
	Register(Server{Name: "net/http", Workloads: []string{IdleSSE}, Start: startSSE})
}

func startNet(o *Options) (*Running, error) {
	ln, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	if o.Workload == IdleTLS {
		cert, err := tls.X509KeyPair(o.CertPEM, o.KeyPEM)
		if err != nil {
			return nil, err
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	go func() { // until the process ends
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go echoNet(c)
		}
	}()
	return &Running{}, nil
}

func echoNet(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

func startSSE(o *Options) (*Running, error) {
	return serveHTTP(o.Addr, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache, no-transform")
		if _, err := io.WriteString(w, ":\n\n"); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		<-r.Context().Done()
	})
}

// serveHTTP is the front of every rival that upgrades through net/http.
func serveHTTP(addr string, h http.HandlerFunc) (*Running, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(ln) }() // until the process ends
	return &Running{}, nil
}
