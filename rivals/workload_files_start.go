//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Files start: how long it takes from the start of a process until it listens, when the one before was killed and left
// much behind. All that was acknowledged has to be there then.

var filesStart = Workload{
	Name:    FilesStart,
	Metrics: []Metric{StartSecs, OpenSecs, WindowSecs},
	Cells: func(cfg *Config) []Cell {
		return []Cell{{
			Workload: FilesStart, Label: fmt.Sprintf("%d publications of %d B in %d channels", cfg.Stored, cfg.BroadcastSize, cfg.StoredChannels),
			Links: cfg.StoredChannels, Size: cfg.BroadcastSize, Few: true, Compare: StartSecs,
		}}
	},
	Measure: measureStart,
	Bounds: func(Cell) []Bound {
		return []Bound{{Ours: "longwire-files", Metric: StartSecs, Want: 10, AtMost: true}}
	},
}

func measureStart(ctx context.Context, cfg *Config, c Cell, name string) (Sample, error) {
	dir, err := os.MkdirTemp("", "rivals-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	child, err := startChild(ctx, c.Workload, name, "-data", dir)
	if err != nil {
		return nil, err
	}
	filled, err := child.Fill(cfg.Stored, c.Links, c.Size)
	child.Kill()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	child, err = startChild(ctx, c.Workload, name, "-data", dir)
	took := time.Since(began)
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	stats, err := child.Stats()
	if err != nil {
		return nil, err
	}
	if stats.Last != filled.Last || stats.Last < uint64(cfg.Stored) {
		return nil, fmt.Errorf("the last publication is %d, and was %d before the crash", stats.Last, filled.Last)
	}
	return Sample{StartSecs: took.Seconds(), OpenSecs: float64(stats.OpenMillis) / 1e3, WindowSecs: float64(stats.NodeMillis) / 1e3}, nil
}
