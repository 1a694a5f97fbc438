//go:build linux

package main

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/lesismal/llib/std/crypto/tls"
	"github.com/lesismal/nbio"
	nbtls "github.com/lesismal/nbio/extension/tls"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

// nbio in its fastest form: a poller per core, handlers run by the poller itself and not by the pool of goroutines
// that is the default, no keepalive timer for each connection, messages given back to its own memory pool.
func init() {
	logging.SetLevel(logging.LevelNone)
	Register(Server{Name: "nbio", Workloads: []string{TCPEcho, IdleTCP}, Start: startNbioTCP})
	Register(Server{Name: "nbio", Workloads: []string{IdleTLS}, Start: startNbioTLS})
	Register(Server{
		Name: "nbio", Workloads: []string{WSEcho, IdleWS, IdleCPU, Broadcast, Accept}, Start: startNbioWS,
	})
}

func nbioEngine(o *Options) *nbio.Engine {
	return nbio.NewEngine(nbio.Config{Network: "tcp", Addrs: []string{o.Addr}, NPoller: runtime.GOMAXPROCS(0)})
}

func startNbioTCP(o *Options) (*Running, error) {
	e := nbioEngine(o)
	e.OnData(func(c *nbio.Conn, p []byte) { _, _ = c.Write(p) }) // nbio closes what cannot be written
	return &Running{}, e.Start()
}

func startNbioTLS(o *Options) (*Running, error) {
	cert, err := tls.X509KeyPair(o.CertPEM, o.KeyPEM)
	if err != nil {
		return nil, err
	}
	e := nbioEngine(o)
	e.OnOpen(nbtls.WrapOpen(&tls.Config{Certificates: []tls.Certificate{cert}}, false, nil))
	e.OnClose(nbtls.WrapClose(func(_ *nbio.Conn, c *tls.Conn, _ error) { _ = c.Close() }))
	e.OnData(nbtls.WrapData(func(_ *nbio.Conn, c *tls.Conn, p []byte) { _, _ = c.Write(p) }))
	return &Running{}, e.Start()
}

func startNbioWS(o *Options) (*Running, error) {
	var opened atomic.Int64
	everyone := newFan(func(c *websocket.Conn, p []byte) {
		_ = c.WriteMessage(websocket.BinaryMessage, p) // nbio closes what cannot be written
	})
	u := websocket.NewUpgrader()
	u.KeepaliveTime = 0
	u.ReleasePayload = true
	u.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, p []byte) {
		_ = c.WriteMessage(kind, p)
	})
	u.OnOpen(func(c *websocket.Conn) {
		switch o.Workload {
		case Broadcast:
			hash := int(opened.Add(1))
			c.SetSession(hash)
			everyone.join(hash, c)
		case IdleCPU:
			var t *time.Timer
			t = time.AfterFunc(o.PingEvery, func() {
				if c.WriteMessage(websocket.PingMessage, nil) == nil {
					t.Reset(o.PingEvery)
				}
			})
		}
	})
	u.OnClose(func(c *websocket.Conn, _ error) {
		if hash, ok := c.Session().(int); ok {
			everyone.leave(hash, c)
		}
	})
	e := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{o.Addr}, MaxLoad: 1 << 20, NPoller: runtime.GOMAXPROCS(0),
		IOMod: nbhttp.IOModNonBlocking, ServerExecutor: func(f func()) { f() }, ReleaseWebsocketPayload: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = u.Upgrade(w, r, nil) // it answers the client itself
		}),
	})
	return &Running{Publish: everyone.publish}, e.Start()
}
