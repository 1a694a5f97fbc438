//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
)

// Idle CPU: WebSockets that say nothing; the server pings each every Config.PingEvery and the clients answer. It is
// measured for one period, as long as the server makes it, so that each link is pinged once however unevenly the pings
// are spread.

var idleCPU = Workload{
	Name:    IdleCPU,
	Metrics: []Metric{CPUPerLinkS},
	Cells: func(cfg *Config) []Cell {
		return []Cell{{
			Workload: IdleCPU, Label: fmt.Sprintf("%d links, ping every %v", cfg.CPULinks, cfg.PingEvery),
			Links: cfg.CPULinks, Compare: CPUPerLinkS, Few: true,
		}}
	},
	Measure: measureIdleCPU,
	Bounds: func(Cell) []Bound {
		return []Bound{{Ours: "longwire", Metric: CPUPerLinkS, Want: 0.8, AtMost: true}}
	},
}

func measureIdleCPU(ctx context.Context, cfg *Config, c Cell, name string) (s Sample, err error) {
	child, err := startChild(ctx, IdleCPU, name, "-ping", cfg.PingEvery.String())
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	fleet, err := dialFleet(child.Addr, c.Links, upgrading())
	if err != nil {
		return nil, err
	}
	crew, err := newCrew(fleet, 1, answerPing, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, crew.halt()) }()
	if err := crew.start(nil); err != nil {
		return nil, err
	}
	if err := sleep(ctx, cfg.Settle); err != nil {
		return nil, err
	}
	m, err := begin(child)
	if err != nil {
		return nil, err
	}
	before := crew.msgs()
	if err := sleep(ctx, cfg.PingEvery); err != nil {
		return nil, err
	}
	all := func() bool { return crew.msgs()-before >= int64(c.Links) }
	if err := until(ctx, cfg.PingEvery/2, all); err != nil {
		return nil, err
	}
	pings := crew.msgs() - before
	e, err := m.end()
	if err != nil {
		return nil, err
	}
	if n := int64(c.Links); pings < n/2 || pings > n*3/2 {
		return nil, fmt.Errorf("%d pings to %d links in one period", pings, c.Links)
	}
	return Sample{CPUPerLinkS: micros(e.cpu) / float64(c.Links) / e.wall.Seconds(), Foreign: e.foreign}, nil
}

// answerPing expects whole ping frames in a read, which is how they come when there is nothing else on the link.
func answerPing(_ *worker, l *link, p []byte) (n int, err error) {
	for len(p) > 0 {
		if p[0] != finPing || len(p) < 2 || len(p) < 2+int(p[1]) {
			return n, fmt.Errorf("want a ping, got %x", p)
		}
		end := 2 + int(p[1])
		var pong [140]byte
		if err := writeAll(l.fd, appendClientFrame(pong[:0], finPong, p[2:end])); err != nil {
			return n, err
		}
		n++
		p = p[end:]
	}
	return n, nil
}
