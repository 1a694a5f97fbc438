//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
)

// Session broadcast: as Broadcast, to sessions that subscribe to one channel. longwire is published to by HTTP requests
// over as many connections as messages may be under way, NATS over one connection, raw as in Broadcast.

var sessionBroadcast = Workload{
	Name:    SessionBroadcast,
	Metrics: []Metric{CPUPerDeliv, DelivPerCPU, DelivPerSec, MallocsDeliv},
	Cells: func(cfg *Config) (cells []Cell) {
		c := Cell{Workload: SessionBroadcast, Links: cfg.Receivers, Size: cfg.BroadcastSize, Against: []string{"nats-server"}}
		c.Label = fmt.Sprintf("%d sessions, %d B, %d messages/s", c.Links, c.Size, cfg.Rate)
		c.Compare = CPUPerDeliv
		cells = append(cells, c)
		for _, k := range cfg.UnderWay {
			c.Label = fmt.Sprintf("%d sessions, %d B, %d under way", c.Links, c.Size, k)
			c.Compare, c.Window = DelivPerCPU, k
			cells = append(cells, c)
		}
		return cells
	},
	Measure: measureSessionBroadcast,
	Bounds: func(c Cell) []Bound {
		if c.Window == 0 {
			return []Bound{{Ours: "longwire", Metric: CPUPerDeliv, Against: []string{"raw"}, Want: 1.2, AtMost: true}}
		}
		return []Bound{{Ours: "longwire", Metric: DelivPerCPU, Against: []string{"nats-server"}, Want: 1}}
	},
}

// pacedMouths is how many connections publish where the rate is what counts.
const pacedMouths = 4

func measureSessionBroadcast(ctx context.Context, cfg *Config, c Cell, name string) (s Sample, err error) {
	child, err := startChild(ctx, c.Workload, name, "-size", fmt.Sprint(c.Size))
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	server, _ := findServer(c.Workload, name)
	p, err := receivers(child.Addr, server.Speaks, c.Links)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.crew.halt()) }()
	data := payload(c.Size)
	switch d := server.Speaks; {
	case d.publish == nil:
		p.order = orders(child)
	case d.silent:
		fleet, err := dialFleet(child.Addr, 1, d.begin(noChannels)...)
		if err != nil {
			return nil, err
		}
		defer fleet.close()
		p.order = shout(fleet, func(b []byte, id int) []byte { return d.publish(b, id, channelName(0), data) })
	default:
		fleet, err := dialFleet(child.Addr, max(c.Window, pacedMouths))
		if err != nil {
			return nil, err
		}
		m, err := newMouth(fleet, httpSize, func(b []byte, _ int) []byte { return appendPost(b, channelName(0), data) }, p.poke)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, m.crew.halt()) }()
		p.order = m.order
	}
	return p.measure(ctx, cfg, c.Window, child)
}

// receivers are n links that are subscribed to the first channel.
func receivers(addr string, d *dialect, n int) (*publisher, error) {
	fleet, err := dialFleet(addr, n, d.begin(func(int) []string { return []string{channelName(0)} })...)
	if err != nil {
		return nil, err
	}
	return newPublisher(fleet, func(_ *worker, l *link, p []byte) (int, error) { return l.count(p, d.size) })
}

func noChannels(int) []string { return nil }
