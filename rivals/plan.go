//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// A Workload is one kind of measurement: the cells of the table it fills and how one run of one server is measured.
type Workload struct {
	Name    string
	Metrics []Metric // columns, the figure that is compared first
	Cells   func(*Config) []Cell
	Measure func(context.Context, *Config, Cell, string) (Sample, error)
	Bounds  func(Cell) []Bound
}

// A Cell is one setting of a workload: one figure of the table.
type Cell struct {
	Workload string
	Label    string
	Compare  Metric // what ratios are of
	Against  []string

	Links  int
	Size   int
	Window int // messages under way; 0 in a broadcast: paced
	Few    bool
}

func (c Cell) String() string { return c.Workload + ": " + c.Label }

// A Bound is what longwire must reach in a cell.
type Bound struct {
	Ours    string // the server of ours that must
	Metric  Metric
	Against []string // the best of these in each run; none: Want is absolute
	Want    float64
	AtMost  bool // else at least, where 0.95 of Want counts as reached
}

var workloads = []*Workload{
	&idleTCP, &idleWS, &idleSSE, &idleTLS, &idleCPU, &tcpEcho, &wsEcho, &broadcast, &accept,
	&sessionIdleTCP, &sessionIdleWS, &sessionBroadcast, &sessionChat, &sessionPatterns, &sessionFan, &sessionCall,
	&filesIdleTCP, &filesIdleWS, &filesLatency, &filesStart, &filesResume, &filesSlow,
}

func findWorkload(name string) *Workload {
	for _, w := range workloads {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// measureAll fills every selected cell. Rounds are interleaved (A B C A B C …), so a slow minute of the machine falls
// on all servers of a cell alike. A server that fails is noted and does not stop the others.
func measureAll(ctx context.Context, cfg *Config, progress io.Writer) ([]*Result, error) {
	var results []*Result
	for _, w := range workloads {
		for _, cell := range w.Cells(cfg) {
			if !cfg.Only.MatchString(cell.String()) {
				continue
			}
			r := &Result{Cell: cell, Samples: map[string][]Sample{}, Errs: map[string]error{}}
			for _, name := range serverNames(w.Name) {
				if cfg.Servers.MatchString(name) {
					r.Servers = append(r.Servers, name)
				}
			}
			if len(r.Servers) == 0 {
				continue
			}
			results = append(results, r)
			if err := measureCell(ctx, cfg, w, r, progress); err != nil {
				return results, err
			}
		}
	}
	return results, nil
}

// measureQuietly repeats a run beside a busy neighbour, as often as cfg.Patience allows, and takes the quietest.
func measureQuietly(ctx context.Context, cfg *Config, w *Workload, c Cell, server string) (Sample, error) {
	best, err := w.Measure(ctx, cfg, c, server)
	for range cfg.Patience {
		if err != nil || best[Foreign] <= busyNeighbour {
			break
		}
		var again Sample
		if again, err = w.Measure(ctx, cfg, c, server); err == nil && again[Foreign] < best[Foreign] {
			best = again
		}
	}
	return best, err
}

func measureCell(ctx context.Context, cfg *Config, w *Workload, r *Result, progress io.Writer) error {
	rounds := cfg.Runs
	if r.Cell.Few {
		rounds = cfg.IdleRuns
	}
	for round := range rounds {
		for _, name := range r.Servers {
			began := time.Now()
			s, err := measureQuietly(ctx, cfg, w, r.Cell, name)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.Samples[name] = append(r.Samples[name], s)
			if err != nil {
				r.Errs[name] = err
				fmt.Fprintf(progress, "%s  run %d  %s: %v\n", r.Cell, round+1, name, err)
				continue
			}
			note := ""
			if s[Foreign] > busyNeighbour {
				note = fmt.Sprintf("  others used %.0f %% of the machine", 100*s[Foreign])
			}
			fmt.Fprintf(progress, "%s  run %d  %-16s %s %s  (%.1f s)%s\n", r.Cell, round+1, name,
				format(s[r.Cell.Compare]), r.Cell.Compare, time.Since(began).Seconds(), note)
		}
	}
	return nil
}
