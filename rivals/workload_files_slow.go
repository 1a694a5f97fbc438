//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Files slow: one channel, published to at a steady rate. For a while all subscribers read, then, for as long, one does
// not, and then it does again. What it does not read may not cost the others or the server's memory, whose live heap is
// looked at after a forced collection before and after each while, and nothing may be lost for it. Before all that so much
// is published that the node's recent window is full, which grows to its bound whoever reads.

var filesSlow = Workload{
	Name:    FilesSlow,
	Metrics: []Metric{SlowRatio, QuietP99, SlowP99, HeapQuiet, HeapSlow, QueuedMost},
	Cells: func(cfg *Config) []Cell {
		return []Cell{{
			Workload: FilesSlow, Label: fmt.Sprintf("%d sessions, %d messages/s of %d B, one stops for %v", cfg.SlowLinks, slowRate, slowSize, cfg.SlowTime),
			Links: cfg.SlowLinks, Size: slowSize, Window: slowRate, Compare: SlowRatio,
		}}
	},
	Measure: measureSlow,
	Bounds: func(Cell) []Bound {
		return []Bound{
			{Ours: "longwire-files", Metric: QueuedMost, Want: queueBound + slowSize + frameHead, AtMost: true},
			{Ours: "longwire-files", Metric: HeapSlow, Want: 16, AtMost: true},
			{Ours: "longwire-files", Metric: SlowRatio, Want: 1.5, AtMost: true},
		}
	},
}

const (
	slowRate    = 300
	slowSize    = 1024
	slowHistory = 10_000

	queueBound = 16 << 10 // what longwire queues for a link, but for one message
	frameHead  = 512      // of a message's frame, at most
)

func measureSlow(ctx context.Context, cfg *Config, c Cell, name string) (s Sample, err error) {
	child, err := startChild(ctx, c.Workload, name, "-history", fmt.Sprint(slowHistory))
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	if _, err := child.Fill(cfg.SlowFill, 1, c.Size); err != nil {
		return nil, err
	}
	server, _ := findServer(c.Workload, name)
	b, err := newBeat(child.Addr, server.Speaks, c.Links, c.Size, c.Window, 3*cfg.SlowTime)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.crew.halt()) }()
	if _, err := b.keep(ctx, cfg.Warmup); err != nil {
		return nil, err
	}
	start, err := child.Free()
	if err != nil {
		return nil, err
	}
	m, err := begin(child)
	if err != nil {
		return nil, err
	}
	quiet, err := b.keep(ctx, cfg.SlowTime)
	if err != nil {
		return nil, err
	}
	stop, err := child.Free()
	if err != nil {
		return nil, err
	}
	slow, end, err := b.keepWithoutOne(ctx, cfg, child)
	if err != nil {
		return nil, err
	}
	e, err := m.end()
	if err != nil {
		return nil, err
	}
	if end.Refused == stop.Refused {
		return nil, errors.New("the one that stopped was never behind: let it stop for longer")
	}
	before, during := quantile(quiet, 0.99), quantile(slow, 0.99)
	return Sample{
		QuietP99: before, SlowP99: during, SlowRatio: during / before, QueuedMost: float64(end.Queued),
		HeapQuiet: megabytes(start, stop), HeapSlow: megabytes(stop, end), Foreign: e.foreign,
	}, nil
}

func megabytes(from, to reply) float64 {
	return (float64(to.HeapAlloc) - float64(from.HeapAlloc)) / 1e6
}

// keepWithoutOne is keep while the last link does not read, and looks at the server before that reads on and gets all.
func (b *beat) keepWithoutOne(ctx context.Context, cfg *Config, child *Child) (waits []float64, end reply, err error) {
	last := len(b.crew.fleet.fds) - 1
	w := b.crew.workers[last%crewSize]
	fd, at, first := b.crew.fleet.fds[last], slices.IndexFunc(w.links, func(l link) bool { return l.i == last }), b.published
	if err := unix.EpollCtl(w.ep, unix.EPOLL_CTL_DEL, fd, nil); err != nil {
		return nil, end, err
	}
	if err := b.publish(ctx, cfg.SlowTime); err != nil {
		return nil, end, err
	}
	if err := b.settle(ctx, b.published-first); err != nil {
		return nil, end, err
	}
	waits = b.waits(first, b.published, last)
	if end, err = child.Free(); err != nil {
		return nil, end, err
	}
	if err := unix.EpollCtl(w.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(at)}); err != nil {
		return nil, end, err
	}
	return waits, end, b.settle(ctx, 0)
}
