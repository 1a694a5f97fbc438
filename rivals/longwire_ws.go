//go:build linux

package main

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/transport/ws"
)

func init() {
	Register(Server{
		Name: "longwire", Workloads: []string{WSEcho, IdleWS, IdleCPU, Broadcast, Accept}, Start: startLongwireWS,
	})
	Register(Server{Name: "longwire-handler", Workloads: []string{WSEcho}, Start: startLongwireHandler})
}

func longwireEcho(c *longwire.Conn, k longwire.Kind, p []byte) {
	_ = c.Send(k, p) // one answer to a message has room; what is lost the client misses
}

func startLongwireHandler(o *Options) (*Running, error) {
	return serveLongwire(o, &ws.Handler{Acceptor: &longwire.Plain{Message: longwireEcho}})
}

func startLongwireWS(o *Options) (*Running, error) {
	door := &longwire.Plain{Message: longwireEcho, OnLoop: true}
	h := &ws.Handler{Acceptor: door}
	if o.Workload == IdleCPU {
		h.PingAfter = o.PingEvery
	}
	var links longwireLinks
	if o.Workload == Broadcast {
		door.Open, door.Close = links.open, links.close
	}
	r, err := serveLongwire(o, h)
	if err != nil {
		return nil, err
	}
	r.Publish = links.publish
	return r, nil
}

func serveLongwire(o *Options, h http.Handler) (*Running, error) {
	ln, err := longwire.Listen(context.Background(), o.Addr)
	if err != nil {
		return nil, err
	}
	go func() { _ = http.Serve(ln, h) }() // until the process ends
	return &Running{}, nil
}

// longwireLinks are the links of a broadcast.
type longwireLinks struct {
	mu  sync.Mutex
	all []*longwire.Conn       // guarded by mu
	at  map[*longwire.Conn]int // guarded by mu
}

func (l *longwireLinks) open(c *longwire.Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[*longwire.Conn]int{}
	}
	l.at[c] = len(l.all)
	l.all = append(l.all, c)
	return nil
}

func (l *longwireLinks) close(c *longwire.Conn, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, last := l.at[c], len(l.all)-1
	l.all[i] = l.all[last]
	l.at[l.all[i]] = i
	l.all = l.all[:last]
	delete(l.at, c)
}

// publish waits for links that are full, as the rivals' writes do.
func (l *longwireLinks) publish(p []byte) {
	m := longwire.NewMessage(longwire.Binary, p)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.all {
		if errors.Is(c.SendMessage(m), longwire.ErrFull) {
			_ = c.SendMessageWait(context.Background(), m) // fails when the link is gone
		}
	}
}
