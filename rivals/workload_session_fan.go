//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
)

// Session fan: what a publication by a session costs in allocations when the channel has a few subscribers and when it
// has many, one publication under way at a time. What a further subscriber adds must be nothing.

var sessionFan = Workload{
	Name:    SessionFan,
	Metrics: []Metric{MallocsFew, MallocsMany, MallocsMore},
	Cells: func(cfg *Config) (cells []Cell) {
		few := cfg.Fan[0]
		for _, n := range cfg.Fan[1:] {
			cells = append(cells, Cell{
				Workload: SessionFan, Label: fmt.Sprintf("to %d and to %d sessions", few, n),
				Few: true, Links: n, Size: cfg.BroadcastSize, Compare: MallocsMore,
			})
		}
		return cells
	},
	Measure: func(ctx context.Context, cfg *Config, c Cell, name string) (Sample, error) {
		few, err := mallocsPerPublication(ctx, cfg, c, name, cfg.Fan[0])
		if err != nil {
			return nil, err
		}
		many, err := mallocsPerPublication(ctx, cfg, c, name, c.Links)
		if err != nil {
			return nil, err
		}
		return Sample{MallocsFew: few, MallocsMany: many, MallocsMore: (many - few) / float64(c.Links-cfg.Fan[0])}, nil
	},
	Bounds: func(Cell) []Bound {
		// None, were it not for what goes on beside: counters that are asked, timers, the runtime's own.
		return []Bound{{Ours: "longwire", Metric: MallocsMore, Want: 0.02, AtMost: true}}
	},
}

func mallocsPerPublication(ctx context.Context, cfg *Config, c Cell, name string, links int) (mallocs float64, err error) {
	child, err := startChild(ctx, c.Workload, name)
	if err != nil {
		return 0, err
	}
	defer child.Stop()
	server, _ := findServer(c.Workload, name)
	p, err := receivers(child.Addr, server.Speaks, links)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.crew.halt()) }()
	fleet, err := dialFleet(child.Addr, 1, server.Speaks.begin(noChannels)...)
	if err != nil {
		return 0, err
	}
	data := payload(c.Size)
	m, err := newMouth(fleet, server.Speaks.size, func(b []byte, id int) []byte {
		return server.Speaks.publish(b, id, channelName(0), data)
	}, p.poke)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.crew.halt()) }()
	p.order = m.order
	s, err := p.measure(ctx, cfg, 1, child)
	return s[MallocsDeliv] * float64(links), err
}
