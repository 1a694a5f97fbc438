// Package server assembles the server that the longwire command runs:
// listeners, transports, the node that they share, and the order in which all
// of it ends. It is the only package that sees more than one transport.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/wire"
)

// Bounds of an HTTP connection that is not, or not yet, a link.
const (
	readHeaderTimeout = wire.HandshakeTimeout
	idleTimeout       = 2 * time.Minute // longer than the usual proxy keeps a connection
	maxHeaderBytes    = 16 << 10        // a request here is an address and a token
)

// A Server listens from New on and serves during Run.
type Server struct {
	// Immutable after New.
	log      *slog.Logger
	opts     Options
	tls      *tls.Config // nil without TLS
	http     *http.Server
	tcp      *tcp.Server
	httpLn   *park.Listener // nil if off, as the next
	tcpLn    *park.Listener
	loopback bool // HTTP cannot be reached from other machines
	engine   *longwire.Engine
	broker   longwire.Broker
	node     *longwire.Node

	ending atomic.Bool
	fresh  newcomers
}

// New checks the options and opens the listeners. Whoever gets a Server must
// Run it. The error is a *[UsageError] if the options make no sense.
func New(ctx context.Context, o *Options) (*Server, error) {
	s := &Server{opts: *o, log: o.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	httpAddr, err := address(ctx, "http", o.HTTP)
	if err != nil {
		return nil, err
	}
	tcpAddr, err := address(ctx, "tcp", o.TCP)
	if err != nil {
		return nil, err
	}
	switch {
	case httpAddr == nil && tcpAddr == nil:
		return nil, usage("--http and --tcp are both off; there is nothing to serve")
	}
	if err := s.checkWide(httpAddr, tcpAddr); err != nil {
		return nil, err
	}
	s.loopback = httpAddr != nil && !wide(httpAddr)
	if err := o.checkNumbers(); err != nil {
		return nil, err
	}
	if s.opts.AllowOrigin, err = o.origins(s.loopback); err != nil {
		return nil, err
	}
	if s.tls, err = o.loadTLS(); err != nil {
		return nil, err
	}
	if err := s.open(ctx, httpAddr, tcpAddr); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// checkWide keeps a server that asks nobody who he is to this machine, unless
// somebody has said that this is meant.
func (s *Server) checkWide(addrs ...*net.TCPAddr) error {
	for _, a := range addrs {
		switch {
		case !wide(a):
		case !s.opts.Insecure:
			return fmt.Errorf("%s can be reached from other machines, and there is no authentication yet: anybody could read and publish everything; "+
				"listen on 127.0.0.1, or say --insecure if that is what you want", a)
		default:
			s.log.Warn("INSECURE: ANYBODY who reaches this address can READ AND PUBLISH EVERYTHING, because --insecure was given", slog.String("address", a.String()))
		}
	}
	return nil
}

func (s *Server) open(ctx context.Context, httpAddr, tcpAddr *net.TCPAddr) (err error) {
	if httpAddr != nil {
		if s.httpLn, err = listen(ctx, "http", httpAddr); err != nil {
			return err
		}
	}
	if tcpAddr != nil {
		if s.tcpLn, err = listen(ctx, "tcp", tcpAddr); err != nil {
			return err
		}
	}
	if s.engine, err = longwire.NewEngine(&longwire.EngineOptions{Log: s.log}); err != nil {
		return err
	}
	if s.broker, err = s.opts.Store.broker(ctx, s.log); err != nil {
		return err
	}
	if s.node, err = longwire.New(s.nodeOptions()); err != nil {
		return err
	}
	s.http = &http.Server{
		Handler:           s.atHome(s.routes()),
		TLSConfig:         s.httpTLS(),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         s.fresh.state,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what clients do wrong
	}
	s.tcp = s.newTCP()
	return nil
}

// close undoes open.
func (s *Server) close() {
	for _, ln := range []*park.Listener{s.httpLn, s.tcpLn} {
		if ln != nil {
			ln.Close()
		}
	}
	if s.engine != nil {
		s.engine.Close(context.Background()) // it has no connections
	}
	if s.node != nil {
		s.node.Close(context.Background())
	}
	if s.broker != nil {
		s.broker.Close(context.Background())
	}
}

// Run serves until ctx ends, and then ends everything in order: no more
// connections are accepted, clients are told and what is owed to them is sent,
// within ShutdownTimeout. It returns an error only if serving failed.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 2)
	running := 0
	serve := func(ln *park.Listener, f func() error) {
		if ln != nil {
			running++
			go func() { failed <- f() }() // Run waits below
		}
	}
	serve(s.tcpLn, func() error { return s.tcp.Serve(s.tcpLn) })
	serve(s.httpLn, func() error {
		if s.tls != nil {
			return s.http.Serve(s.httpLn.TLS(s.http.TLSConfig))
		}
		return s.http.Serve(s.httpLn)
	})
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("shutting down", slog.Int("connections", s.engine.Links()))
	case err = <-failed:
		running--
	}
	s.shutdown(context.WithoutCancel(ctx))
	for range running {
		if e := <-failed; err == nil && !errors.Is(e, http.ErrServerClosed) && !errors.Is(e, tcp.ErrServerClosed) {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	s.log.Info("stopped")
	return nil
}

func (s *Server) shutdown(ctx context.Context) {
	timeout := s.opts.ShutdownTimeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s.ending.Store(true)
	s.tcp.Close()
	quiet := make(chan error, 1)
	go func() { quiet <- s.http.Shutdown(ctx) }() // waited for below; it closes the listener at once
	defer time.AfterFunc(newcomerTime, s.fresh.close).Stop()
	err := s.node.Drain(ctx)
	err = errors.Join(err, s.engine.Close(ctx), <-quiet)
	if err != nil {
		s.log.Warn("some clients did not hear that the server ends; --shutdown-timeout gives them longer", slog.Duration("timeout", timeout))
		s.http.Close()
	}
	if err := errors.Join(s.node.Close(ctx), s.broker.Close(ctx)); err != nil {
		s.log.Warn("closing the node", slog.Any("err", err))
	}
}
