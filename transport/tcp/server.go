// Package tcp carries messages over TCP and TLS, cut out of the byte stream by
// a framing of the user's choice.
//
//	srv := &tcp.Server{Framing: tcp.Lines, Acceptor: &longwire.Plain{
//		Message: func(c *longwire.Conn, k longwire.Kind, p []byte) { c.Send(k, p) },
//	}}
//	err := srv.ListenAndServe("127.0.0.1:8888")
//
// [Session] makes a server of the session protocol.
package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/wire"
)

// ErrServerClosed is what Serve returns after Close.
var ErrServerClosed = errors.New("tcp: the server is closed")

// A Server makes links of TCP connections. Its fields must not be changed once
// it serves; its methods may be called from any goroutine.
type Server struct {
	// Acceptor takes the links. It is required.
	Acceptor longwire.Acceptor
	// Framing cuts the stream into messages. Nil means Raw.
	Framing *Framing
	// TLS makes every connection TLS, with a handshake of at most 10 s. Nil
	// means plaintext.
	TLS *tls.Config
	// MaxMessage is the most bytes that a message from a peer may have. Zero
	// means 1 MiB. What is larger ends the link with too_large before it is
	// buffered.
	MaxMessage int
	// FirstByte is how long a new connection may stay silent; then it ends with
	// handshake_timeout. Zero means for ever.
	FirstByte time.Duration
	// PingAfter is the silence of a peer after which a receiver that can is
	// asked to say something to it, as a node's does, and DeadAfter the one after
	// which the link of a peer that answers ends with idle_timeout, unless we hold
	// the peer back. Both may be up to a quarter of a second late. Zero means 25 s
	// and 35 s, negative is off. They do not concern a longwire.Plain.
	PingAfter, DeadAfter time.Duration
	// Farewell, if set, is the last message that a link sends before it closes,
	// in protocols that say why. Nil bytes say nothing.
	Farewell func(c *longwire.Close) []byte
	// HTTP is the URL at which the program serves HTTP. The farewell of [Session]
	// tells it to those who speak HTTP to this port.
	HTTP string
	// Full is what a connection hears, as it is, that finds no descriptor free.
	Full []byte
	// Engine is where the links live. Nil means the shared one.
	Engine *longwire.Engine
	// Log hears of failed handshakes, at debug level. Nil means slog.Default().
	Log *slog.Logger

	once sync.Once
	// Immutable after once.
	form  *longwire.Form // made by Framing
	beats beat.Rule

	mu sync.Mutex
	// guarded by mu
	closed    bool
	listeners map[*park.Listener]struct{}
}

// ListenAndServe listens on a TCP address such as "127.0.0.1:8888" and serves
// until the server is closed.
func (s *Server) ListenAndServe(addr string) error {
	ln, err := park.Listen(context.Background(), "tcp", addr, s.options())
	if err != nil {
		return err
	}
	return s.Serve(ln)
}

// Serve makes links of ln's connections until the server is closed, then
// returns ErrServerClosed. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	if s.Acceptor == nil {
		ln.Close()
		return errors.New("tcp: Server.Acceptor is nil; set it to a *longwire.Plain or a *longwire.Node")
	}
	pl, ok := ln.(*park.Listener)
	if !ok {
		pl = park.WrapListener(ln, s.options())
	}
	if !s.track(pl) {
		pl.Close()
		return ErrServerClosed
	}
	defer s.untrack(pl)
	local := localAddr(ln)
	err := pl.Serve(s.Engine.Or().Loops(), &park.Door{
		TLS:  s.TLS,
		Full: s.Full,
		Open: func(now time.Time, sock *loop.Sock, from park.Peer) loop.Handler {
			return s.open(now, sock, from, &local)
		},
		Failed: s.failed,
	})
	if err == nil {
		return ErrServerClosed
	}
	return err
}

// failed hears of a TLS handshake that came to nothing. Who does not speak TLS
// at all is told so, in plaintext.
func (s *Server) failed(from net.Addr, err error) {
	s.log().Debug("tcp: TLS handshake failed", slog.Any("from", from), slog.Any("err", err))
	alien, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || alien.Conn == nil || s.Farewell == nil {
		return
	}
	if p := s.Farewell(&longwire.Close{Code: wire.CodeNeedsTLS}); p != nil {
		alien.Conn.SetWriteDeadline(time.Now().Add(wire.FlushTimeout))
		_, _ = alien.Conn.Write(s.form.Append(nil, s.framing().Kind, p))
	}
}

func (s *Server) options() *park.Options {
	o := &park.Options{Full: s.Full, Log: s.Log}
	if o.Full == nil {
		o.Full = []byte{}
	}
	return o
}

// Close stops accepting. Links live on until their acceptor closes them.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	all := s.listeners
	s.listeners = nil
	s.mu.Unlock()
	var err error
	for ln := range all {
		err = errors.Join(err, ln.Close())
	}
	return err
}

func (s *Server) track(ln *park.Listener) bool {
	s.once.Do(func() {
		f := s.framing()
		s.form = &longwire.Form{Name: "tcp " + f.Name, Append: f.Append}
		s.beats = beat.New(s.PingAfter, s.DeadAfter)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.listeners == nil {
		s.listeners = map[*park.Listener]struct{}{}
	}
	s.listeners[ln] = struct{}{}
	return true
}

func (s *Server) untrack(ln *park.Listener) {
	ln.Close()
	s.mu.Lock()
	delete(s.listeners, ln)
	s.mu.Unlock()
}

func (s *Server) framing() *Framing {
	if s.Framing == nil {
		return Raw
	}
	return s.Framing
}

func (s *Server) maxMessage() int {
	if s.MaxMessage <= 0 {
		return wire.MaxMessage
	}
	return s.MaxMessage
}

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

func localAddr(ln net.Listener) netip.AddrPort {
	if a, ok := ln.Addr().(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

func (s *Server) open(now time.Time, sock *loop.Sock, from park.Peer, local *netip.AddrPort) loop.Handler {
	l := &link{sock: sock, srv: s, local: local, remote: from.Addr, tls: from.TLS}
	recv, err := s.Acceptor.Accept(now, l)
	if err != nil {
		l.recv = refused{}
		l.Close(*longwire.CloseOf(err, wire.CodeForbidden))
		return l
	}
	l.recv = recv
	l.listen(now)
	return l
}

// refused hears a link that its acceptor refused.
type refused struct{}

func (refused) Receive(time.Time, longwire.Kind, []byte) {}
func (refused) Drained(time.Time)                        {}
func (refused) Closed(time.Time, error)                  {}
