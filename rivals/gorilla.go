//go:build linux

package main

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

func init() {
	Register(Server{
		Name: "gorilla", Workloads: []string{WSEcho, IdleWS, IdleCPU, Broadcast, Accept}, Start: startGorilla,
	})
}

func startGorilla(o *Options) (*Running, error) {
	var (
		upgrader websocket.Upgrader
		opened   atomic.Int64
	)
	everyone := newFan(func(c *websocket.Conn, m *websocket.PreparedMessage) {
		_ = c.WritePreparedMessage(m) // a dead connection ends its read loop
	})
	r, err := serveHTTP(o.Addr, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		switch o.Workload {
		case Broadcast:
			hash := int(opened.Add(1))
			everyone.join(hash, c)
			defer everyone.leave(hash, c)
		case IdleCPU:
			done := make(chan struct{})
			defer close(done)
			go pingGorilla(c, o.PingEvery, done)
		}
		echoGorilla(c)
	})
	if err != nil {
		return nil, err
	}
	r.Publish = func(p []byte) {
		m, err := websocket.NewPreparedMessage(websocket.BinaryMessage, p)
		if err == nil {
			everyone.publish(m)
		}
	}
	return r, nil
}

func echoGorilla(c *websocket.Conn) {
	for {
		kind, p, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, p) != nil {
			return
		}
	}
}

// pingGorilla is the ticker of the chat example that comes with gorilla.
func pingGorilla(c *websocket.Conn, every time.Duration, done <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
				return
			}
		case <-done:
			return
		}
	}
}
