//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// Session patterns: patterns that a number of sessions share, and publications of which each matches three of them. Two
// further sessions publish, each with its part of the window under way; the answer to one begins the next. The server
// with few patterns is the same one, in the same run, with a thousandth of them.

// fewPatterns is the name under which longwire stands beside itself.
const fewPatterns = "longwire-few"

const (
	matching   = 3    // patterns of a publication
	fewer      = 1000 // times
	publishers = crewSize
)

var sessionPatterns = Workload{
	Name:    SessionPatterns,
	Metrics: []Metric{CPUPerPub, PubsPerSec, MallocsPub},
	Cells: func(cfg *Config) []Cell {
		return []Cell{{
			Workload: SessionPatterns, Label: fmt.Sprintf("%d patterns, or %d", cfg.Patterns, cfg.Patterns/fewer),
			Links: cfg.PatternSessions, Size: cfg.BroadcastSize, Window: cfg.PatternUnderWay,
			Compare: CPUPerPub, Against: []string{fewPatterns},
		}}
	},
	Measure: measurePatterns,
	Bounds: func(Cell) []Bound {
		return []Bound{{Ours: "longwire", Metric: CPUPerPub, Against: []string{fewPatterns}, Want: 2, AtMost: true}}
	},
}

// pattern is the n-th: three in a row are one group, which matches what is published to its channel.
func pattern(n int) string {
	g := n / matching
	switch n % matching {
	case 0:
		return fmt.Sprintf("t%06d.*.x", g)
	case 1:
		return fmt.Sprintf("t%06d.>", g)
	}
	return fmt.Sprintf("*.u%06d.x", g)
}

func patternChannel(group int) string { return fmt.Sprintf("t%06d.u%06d.x", group, group) }

// A patternLoad is the client's side.
type patternLoad struct {
	speaks   *dialect
	data     []byte
	channels []string

	stopping atomic.Bool
	begun    atomic.Int64
	matched  atomic.Int64
}

func measurePatterns(ctx context.Context, cfg *Config, c Cell, name string) (s Sample, err error) {
	child, err := startChild(ctx, c.Workload, name)
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	server, _ := findServer(c.Workload, name)
	patterns := cfg.Patterns
	if name == fewPatterns {
		patterns = max(patterns/fewer, matching)
	}
	load := &patternLoad{speaks: server.Speaks, data: payload(c.Size)}
	// A walk in steps that are no divisor of the number of groups visits all of them, far from each other.
	for groups, g := patterns/matching, 0; len(load.channels) < groups; g += 7919 {
		load.channels = append(load.channels, patternChannel(g%groups))
	}
	fleet, err := dialFleet(child.Addr, publishers+c.Links, server.Speaks.begin(share(patterns, c.Links))...)
	if err != nil {
		return nil, err
	}
	crew, err := newCrew(fleet, 1, load.read, load.open(c.Window/publishers))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, crew.halt()) }()
	if err := crew.start(nil); err != nil {
		return nil, err
	}
	if s, err = measurePublications(ctx, cfg, child, crew); err != nil {
		return nil, err
	}
	load.stopping.Store(true)
	complete := func() bool {
		n := load.begun.Load()
		return crew.msgs() == n && load.matched.Load() == matching*n
	}
	if err := until(ctx, drainTime, complete); err != nil {
		return nil, err
	}
	if !complete() {
		return nil, fmt.Errorf("%d of %d publications were answered, and matched %d patterns",
			crew.msgs(), load.begun.Load(), load.matched.Load())
	}
	return s, nil
}

// share gives each link behind the publishers every so-manieth pattern.
func share(patterns, links int) func(int) []string {
	return func(i int) (mine []string) {
		if i < publishers {
			return nil
		}
		for n := i - publishers; n < patterns; n += links {
			mine = append(mine, pattern(n))
		}
		return mine
	}
}

// open begins, in the first turn of each worker, as many publications as its publisher is to have under way.
func (p *patternLoad) open(window int) func(*worker) error {
	return func(w *worker) error {
		for l := &w.links[0]; l.open < window; l.open++ {
			if err := p.publish(l); err != nil {
				return err
			}
		}
		return nil
	}
}

// read counts publications by their answers.
func (p *patternLoad) read(_ *worker, l *link, b []byte) (answers int, err error) {
	n, err := l.count(b, p.speaks.size)
	if l.i >= publishers {
		p.matched.Add(int64(n))
		return 0, err
	}
	for i := 0; i < n && err == nil && !p.stopping.Load(); i++ {
		err = p.publish(l)
	}
	return n, err
}

func (p *patternLoad) publish(l *link) error {
	n := int(p.begun.Add(1))
	var buf [1024]byte
	return writeAll(l.fd, p.speaks.publish(buf[:0], n, p.channels[n%len(p.channels)], p.data))
}
