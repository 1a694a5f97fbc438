//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Idle memory: how much the server's resident set grows for each connection that is open and says nothing. The
// baseline is taken after a handful of connections have come, spoken and gone, so that code and pools are in it. The
// growth is read twice: as it is after a rest, and after debug.FreeOSMemory and another rest.

const (
	statusSwitching = "HTTP/1.1 101 "
	statusOK        = "HTTP/1.1 200 "

	handful    = 50
	tlsTalkers = 4 // TLS handshakes at once
)

var (
	idleTCP = idleWorkload(IdleTCP, 640, plainLinks)
	idleWS  = idleWorkload(IdleWS, 900, plainLinks)
	idleSSE = idleWorkload(IdleSSE, 1100, plainLinks)
	idleTLS = idleWorkload(IdleTLS, 9000, plainLinks)

	// Sessions, each with one subscription to a channel of its own.
	sessionIdleTCP = idleWorkload(SessionIdleTCP, 1100, sessionLinks)
	sessionIdleWS  = idleWorkload(SessionIdleWS, 1300, sessionLinks)

	// The same with a broker that keeps history in files, which is in the process and in the figure.
	filesIdleTCP = idleWorkload(FilesIdleTCP, 1600, sessionLinks)
	filesIdleWS  = idleWorkload(FilesIdleWS, 1600, sessionLinks)
)

// ours names the server of ours that a workload is about.
func ours(workload string) string {
	if strings.HasPrefix(workload, "files-") {
		return "longwire-files"
	}
	return "longwire"
}

func plainLinks(cfg *Config) int   { return cfg.IdleLinks }
func sessionLinks(cfg *Config) int { return cfg.SessionLinks }

func idleWorkload(name string, atMost float64, links func(*Config) int) Workload {
	return Workload{
		Name:    name,
		Metrics: []Metric{BytesPerLink, BytesUnforce},
		Cells: func(cfg *Config) []Cell {
			return []Cell{{
				Workload: name, Label: fmt.Sprintf("%d links", links(cfg)),
				Links: links(cfg), Compare: BytesPerLink, Few: true,
			}}
		},
		Measure: measureIdle,
		Bounds: func(Cell) []Bound {
			return []Bound{{Ours: ours(name), Metric: BytesPerLink, Want: atMost, AtMost: true}}
		},
	}
}

func measureIdle(ctx context.Context, cfg *Config, c Cell, name string) (Sample, error) {
	child, err := startChild(ctx, c.Workload, name)
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	warm, err := openIdle(c.Workload, name, child.Addr, min(handful, c.Links))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(warm.Close(), sleep(ctx, cfg.Settle/4)); err != nil {
		return nil, err
	}
	base, err := freedRSS(ctx, cfg, child)
	if err != nil {
		return nil, err
	}
	links, err := openIdle(c.Workload, name, child.Addr, c.Links)
	if err != nil {
		return nil, err
	}
	defer links.Close() // resets that nobody reads
	if err := sleep(ctx, cfg.Settle); err != nil {
		return nil, err
	}
	unforced, err := child.RSS()
	if err != nil {
		return nil, err
	}
	forced, err := freedRSS(ctx, cfg, child)
	if err != nil {
		return nil, err
	}
	n := float64(c.Links)
	return Sample{BytesPerLink: float64(forced-base) / n, BytesUnforce: float64(unforced-base) / n}, nil
}

func freedRSS(ctx context.Context, cfg *Config, child *Child) (int64, error) {
	if _, err := child.Free(); err != nil {
		return 0, err
	}
	if err := sleep(ctx, cfg.Settle); err != nil {
		return 0, err
	}
	return child.RSS()
}

// openIdle opens n connections that have shaken hands; those over TLS have also had three messages of 100 B echoed, and
// sessions have subscribed, each to a channel of its own.
func openIdle(workload, name, addr string, n int) (io.Closer, error) {
	switch workload {
	case SessionIdleTCP, SessionIdleWS, FilesIdleTCP, FilesIdleWS:
		server, _ := findServer(workload, name)
		return openFleet(addr, n, server.Speaks.begin(func(i int) []string { return []string{channelName(i)} })...)
	case IdleTLS:
		return openTLS(addr, n)
	case IdleWS:
		return openFleet(addr, n, upgrading())
	case IdleSSE:
		return openFleet(addr, n, asking(streamRequest, statusOK))
	}
	return openFleet(addr, n)
}

func openFleet(addr string, n int, greetings ...greeting) (io.Closer, error) {
	f, err := dialFleet(addr, n, greetings...)
	return closer(func() error { return f.close() }), err
}

type closer func() error

func (c closer) Close() error { return c() }

func openTLS(addr string, n int) (io.Closer, error) {
	conns := make([]*tls.Conn, n)
	errs := make([]error, tlsTalkers)
	var wg sync.WaitGroup
	for t := range tlsTalkers {
		wg.Go(func() {
			for i := t; i < n && errs[t] == nil; i += tlsTalkers {
				conns[i], errs[t] = dialTLS(addr)
			}
		})
	}
	wg.Wait()
	all := closer(func() error {
		for _, c := range conns {
			if c != nil {
				_ = c.NetConn().Close() // a reset
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, all.Close())
	}
	return all, nil
}

func dialTLS(addr string) (*tls.Conn, error) {
	tcp, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return nil, err
	}
	c := tls.Client(tcp, &tls.Config{InsecureSkipVerify: true}) // the certificate is ours and made a second ago
	err = errors.Join(tcp.(*net.TCPConn).SetLinger(0), c.SetDeadline(time.Now().Add(dialTimeout)))
	buf := payload(100)
	for range 3 {
		if err == nil {
			_, err = c.Write(buf)
		}
		if err == nil {
			_, err = io.ReadFull(c, buf)
		}
	}
	if err = errors.Join(err, c.SetDeadline(time.Time{})); err != nil {
		_ = tcp.Close()
		return nil, err
	}
	return c, nil
}
