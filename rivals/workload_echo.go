//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// Echo: every connection keeps a window of messages under way. The client writes the window in one write at the start
// and answers each reply that comes back by another message; replies that come in one read are answered in one write.
// The compared figure is messages per second of wall time on the machine that server and client share.

var tcpEcho = Workload{
	Name:    TCPEcho,
	Metrics: []Metric{MsgsPerSec, CPUPerMsg, MallocsMsg},
	Cells: func(cfg *Config) (cells []Cell) {
		for _, links := range cfg.EchoLinks {
			for _, window := range cfg.Windows {
				cells = append(cells, Cell{
					Workload: TCPEcho, Label: fmt.Sprintf("%d links, %d B, window %d", links, cfg.TCPSize, window),
					Links: links, Size: cfg.TCPSize, Window: window, Compare: MsgsPerSec, Against: []string{"gnet", "nbio"},
				})
			}
		}
		return cells
	},
	Measure: func(ctx context.Context, cfg *Config, c Cell, name string) (Sample, error) {
		return measureEcho(ctx, cfg, c, name, payload(c.Size), payload(c.Size))
	},
	Bounds: func(Cell) []Bound {
		return []Bound{
			{Ours: "longwire", Metric: MsgsPerSec, Against: []string{"gnet", "nbio"}, Want: 1},
			{Ours: "longwire", Metric: MallocsMsg, Want: 0, AtMost: true},
		}
	},
}

var wsEcho = Workload{
	Name:    WSEcho,
	Metrics: []Metric{MsgsPerSec, CPUPerMsg, MallocsMsg},
	Cells: func(cfg *Config) (cells []Cell) {
		for _, links := range cfg.EchoLinks {
			for _, size := range cfg.WSSizes {
				cells = append(cells, Cell{
					Workload: WSEcho, Label: fmt.Sprintf("%d links, %d B", links, size),
					Links: links, Size: size, Window: 1, Compare: MsgsPerSec, Against: []string{"gws", "nbio"},
				})
			}
		}
		return cells
	},
	Measure: func(ctx context.Context, cfg *Config, c Cell, name string) (Sample, error) {
		p := payload(c.Size)
		return measureEcho(ctx, cfg, c, name, appendClientFrame(nil, finBinary, p), serverFrame(finBinary, p), upgrading())
	},
	Bounds: func(Cell) []Bound {
		return []Bound{
			{Ours: "longwire", Metric: MsgsPerSec, Against: []string{"gws", "nbio"}, Want: 1},
			{Ours: "longwire-handler", Metric: MsgsPerSec, Against: []string{"gws"}, Want: 1},
			{Ours: "longwire", Metric: MallocsMsg, Want: 0, AtMost: true},
		}
	},
}

// measureEcho drives out and counts back: the bytes of a message as they go and as they return.
func measureEcho(ctx context.Context, cfg *Config, c Cell, name string, out, back []byte, greetings ...greeting) (s Sample, err error) {
	child, err := startChild(ctx, c.Workload, name)
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	fleet, err := dialFleet(child.Addr, c.Links, greetings...)
	if err != nil {
		return nil, err
	}
	// Once by hand: the echo is right, and every goroutine and buffer is there.
	if err := fleet.exchange(out, back); err != nil {
		return nil, errors.Join(err, fleet.close())
	}
	window := bytes.Repeat(out, c.Window)
	crew, err := newCrew(fleet, 1, func(_ *worker, l *link, p []byte) (int, error) {
		n := l.whole(len(p), len(back))
		if n == 0 {
			return 0, nil
		}
		return n, writeAll(l.fd, window[:n*len(out)])
	}, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, crew.halt()) }()
	if err := crew.start(window); err != nil {
		return nil, err
	}
	if err := sleep(ctx, cfg.Warmup); err != nil {
		return nil, err
	}
	m, err := begin(child)
	if err != nil {
		return nil, err
	}
	before := crew.msgs()
	n, err := atLeastOne(func() error { return sleep(ctx, cfg.Duration) }, func() float64 { return float64(crew.msgs() - before) })
	if err != nil {
		return nil, err
	}
	e, err := m.end()
	if err != nil {
		return nil, err
	}
	return Sample{
		MsgsPerSec: n / e.wall.Seconds(), CPUPerMsg: micros(e.cpu) / n, MallocsMsg: e.mallocs / n, Foreign: e.foreign,
	}, nil
}

// atLeastOne keeps the load on for another stretch while nothing at all has come, as on a starved machine.
func atLeastOne(keep func() error, count func() float64) (float64, error) {
	for range 10 {
		if err := keep(); err != nil {
			return 0, err
		}
		if n := count(); n > 0 {
			return n, nil
		}
	}
	return 0, errors.New("no message came")
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
