//go:build linux

package main

import (
	"net/http"

	"github.com/coder/websocket"
)

func init() {
	Register(Server{Name: "coder", Workloads: []string{WSEcho, IdleWS, Accept}, Start: startCoder})
}

func startCoder(o *Options) (*Running, error) {
	return serveHTTP(o.Addr, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, p, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, p) != nil {
				return
			}
		}
	})
}
