//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// Accept: HTTP upgrades to idle WebSockets as fast as the client can ask for them, a batch of handshakes under way at
// all times. The connections stay open until the figure is read; closing them is not in it.

var accept = Workload{
	Name:    Accept,
	Metrics: []Metric{ConnsPerCPU, ConnsPerSec},
	Cells: func(cfg *Config) []Cell {
		return []Cell{{
			Workload: Accept, Label: fmt.Sprintf("%d upgrades", cfg.AcceptLinks),
			Links: cfg.AcceptLinks, Compare: ConnsPerCPU, Against: []string{"gws"},
		}}
	},
	Measure: measureAccept,
	Bounds: func(Cell) []Bound {
		return []Bound{{Ours: "longwire", Metric: ConnsPerCPU, Against: []string{"gws"}, Want: 1}}
	},
}

func measureAccept(ctx context.Context, _ *Config, c Cell, name string) (Sample, error) {
	child, err := startChild(ctx, Accept, name)
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	warm, err := dialFleet(child.Addr, max(c.Links/10, 1), upgrading())
	if err != nil {
		return nil, err
	}
	if err := warm.close(); err != nil {
		return nil, err
	}
	if err := sleep(ctx, 200*time.Millisecond); err != nil { // the server notices
		return nil, err
	}
	m, err := begin(child)
	if err != nil {
		return nil, err
	}
	fleet, err := dialFleet(child.Addr, c.Links, upgrading())
	if err != nil {
		return nil, err
	}
	defer fleet.close() // resets that nobody reads
	e, err := m.end()
	if err != nil {
		return nil, err
	}
	n := float64(c.Links)
	return Sample{ConnsPerCPU: n / e.cpu.Seconds(), ConnsPerSec: n / e.wall.Seconds(), Foreign: e.foreign}, nil
}
