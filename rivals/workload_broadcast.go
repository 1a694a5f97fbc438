//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
)

// Broadcast: one message to every link. Paced, the server is told to publish Config.Rate times a second; saturated, it
// has Window messages under way at all times (client_publish.go), and the order for as many new ones as were done at
// once goes out in one line.

var broadcast = Workload{
	Name:    Broadcast,
	Metrics: []Metric{CPUPerDeliv, DelivPerCPU, DelivPerSec, MallocsDeliv},
	Cells: func(cfg *Config) (cells []Cell) {
		for _, links := range cfg.BroadcastLinks {
			c := Cell{Workload: Broadcast, Links: links, Size: cfg.BroadcastSize, Against: []string{"raw"}}
			c.Label = fmt.Sprintf("%d links, %d B, %d messages/s", links, c.Size, cfg.Rate)
			c.Compare = CPUPerDeliv
			cells = append(cells, c)
			for _, k := range cfg.UnderWay {
				c.Label = fmt.Sprintf("%d links, %d B, %d under way", links, c.Size, k)
				c.Compare, c.Window = DelivPerCPU, k
				cells = append(cells, c)
			}
		}
		return cells
	},
	Measure: measureBroadcast,
	Bounds:  broadcastBounds,
}

func broadcastBounds(c Cell) []Bound {
	b := Bound{Ours: "longwire", Metric: c.Compare, Against: []string{"raw"}}
	switch {
	case c.Window == 0:
		b.Want, b.AtMost = 1.15, true
	case c.Window >= 128:
		b.Want = 8
	case c.Window >= 16:
		b.Want = 4
	default:
		return nil
	}
	// None per link: reading the order to publish takes some 8 for each message, however many links there are.
	return []Bound{b, {Ours: "longwire", Metric: MallocsDeliv, Want: 0.05, AtMost: true}}
}

func measureBroadcast(ctx context.Context, cfg *Config, c Cell, name string) (s Sample, err error) {
	child, err := startChild(ctx, Broadcast, name, "-size", fmt.Sprint(c.Size))
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	fleet, err := dialFleet(child.Addr, c.Links, upgrading())
	if err != nil {
		return nil, err
	}
	// A server may count a link in after it has answered the upgrade, but before it answers a ping.
	if err := fleet.exchange(appendClientFrame(nil, finPing, nil), serverFrame(finPong, nil)); err != nil {
		return nil, errors.Join(err, fleet.close())
	}
	frame := len(serverFrame(finBinary, payload(c.Size)))
	p, err := newPublisher(fleet, func(_ *worker, l *link, b []byte) (int, error) { return l.whole(len(b), frame), nil })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.crew.halt()) }()
	p.order = orders(child)
	return p.measure(ctx, cfg, c.Window, child)
}
