package server

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// newcomers are the HTTP connections that have not sent a request yet, such as those
// that browsers open in advance. http.Server.Shutdown would wait 5 s for each.
type newcomers struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// newcomerTime is how long they may still take when the server ends: a request may be
// on its way.
const newcomerTime = time.Second

// state is an http.Server's ConnState.
func (n *newcomers) state(c net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if state != http.StateNew {
		delete(n.conns, c)
		return
	}
	if n.conns == nil {
		n.conns = map[net.Conn]struct{}{}
	}
	n.conns[c] = struct{}{}
}

// close closes those there are.
func (n *newcomers) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.Close()
	}
}
