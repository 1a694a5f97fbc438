//go:build linux

package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/lxzan/gws"
)

func init() {
	Register(Server{
		Name: "gws", Workloads: []string{WSEcho, IdleWS, IdleCPU, Broadcast, Accept}, Start: startGWS,
	})
}

// gwsServer is gws on net/http, its read loop on a goroutine of its own so that the handler's can end.
type gwsServer struct {
	gws.BuiltinEventHandler
	pingEvery time.Duration // 0: no pings
	listed    bool          // a broadcast needs the open connections

	mu    sync.Mutex
	conns map[*gws.Conn]struct{} // guarded by mu
}

func startGWS(o *Options) (*Running, error) {
	s := &gwsServer{listed: o.Workload == Broadcast, conns: map[*gws.Conn]struct{}{}}
	if o.Workload == IdleCPU {
		s.pingEvery = o.PingEvery
	}
	upgrader := gws.NewUpgrader(s, &gws.ServerOption{})
	r, err := serveHTTP(o.Addr, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		go c.ReadLoop()
	})
	if err != nil {
		return nil, err
	}
	r.Publish = s.publish
	return r, nil
}

func (s *gwsServer) OnOpen(c *gws.Conn) {
	if s.listed {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns[c] = struct{}{}
	}
	if s.pingEvery > 0 {
		var t *time.Timer
		t = time.AfterFunc(s.pingEvery, func() {
			if c.WritePing(nil) == nil {
				t.Reset(s.pingEvery)
			}
		})
	}
}

func (s *gwsServer) OnClose(c *gws.Conn, _ error) {
	if s.listed {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}
}

func (s *gwsServer) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // a dead connection ends its read loop
}

func (s *gwsServer) publish(p []byte) {
	b := gws.NewBroadcaster(gws.OpcodeBinary, p)
	defer b.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = b.Broadcast(c) // a dead connection ends its read loop
	}
}
