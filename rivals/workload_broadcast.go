//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Broadcast: one message to every link. Paced, the server is told to publish Config.Rate times a second; saturated, it
// has Window messages under way at all times. A message is under way from the order to publish it until each of the
// sampled receivers (every link where there are few, else 64 spread evenly) has all its bytes; then the order for as
// many new ones goes out, in one line when several were done at once. A run in which a link misses bytes does not count.

const sampledLinks = 64

// maxPacedLag is how many messages a paced server may be behind before the pacer holds its tongue, to stay bounded.
const maxPacedLag = 60

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
	fleet, err := dialFleet(child.Addr, c.Links, upgradeRequest, statusSwitching)
	if err != nil {
		return nil, err
	}
	// A server may count a link in after it has answered the upgrade, but before it answers a ping.
	if err := fleet.exchange(appendClientFrame(nil, finPing, nil), serverFrame(finPong, nil)); err != nil {
		return nil, errors.Join(err, fleet.close())
	}
	p := &publisher{child: child, frame: len(serverFrame(finBinary, payload(c.Size))), moved: make(chan struct{}, 1)}
	nothing := func(*worker, *link, []byte) error { return nil }
	if p.crew, err = newCrew(fleet, nothing, p.watch(max(1, c.Links/sampledLinks))); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.crew.halt()) }()
	if err := p.crew.start(nil); err != nil {
		return nil, err
	}
	keep := func(d time.Duration) error { return p.keepUnderWay(ctx, c.Window, d) }
	if c.Window == 0 {
		keep = func(d time.Duration) error { return p.pace(ctx, cfg.Rate, d) }
	}
	if err := keep(cfg.Warmup); err != nil {
		return nil, err
	}
	m, err := begin(child)
	if err != nil {
		return nil, err
	}
	before := p.crew.bytes()
	n, err := atLeastOne(func() error { return keep(cfg.Duration) }, func() float64 {
		return float64(p.crew.bytes()-before) / float64(p.frame)
	})
	if err != nil {
		return nil, err
	}
	e, err := m.end()
	if err != nil {
		return nil, err
	}
	if err := p.drain(ctx, max(c.Window, maxPacedLag)); err != nil {
		return nil, err
	}
	return Sample{
		CPUPerDeliv: micros(e.cpu) / n, DelivPerCPU: n / e.cpu.Seconds(), DelivPerSec: n / e.wall.Seconds(),
		MallocsDeliv: e.mallocs / n, Foreign: e.foreign,
	}, nil
}

// A publisher orders messages and knows how far the receivers are.
type publisher struct {
	child *Child
	crew  *crew
	frame int           // bytes of a message on the wire
	moved chan struct{} // some worker's low has moved

	published int64 // owned by the measuring goroutine
}

// watch tells, after each turn of a worker, the number of messages that all its sampled links have.
func (p *publisher) watch(every int) func(*worker) {
	return func(w *worker) {
		got := w.links[0].got
		for i := 0; i < len(w.links); i += every {
			got = min(got, w.links[i].got)
		}
		if low := int64(got / p.frame); low > w.low.Load() {
			w.low.Store(low)
			select {
			case p.moved <- struct{}{}:
			default:
			}
		}
	}
}

func (p *publisher) delivered() int64 {
	low := p.crew.workers[0].low.Load()
	for _, w := range p.crew.workers {
		if len(w.links) > 0 {
			low = min(low, w.low.Load())
		}
	}
	return low
}

func (p *publisher) publish(n int64) error {
	p.published += n
	return p.child.Publish(int(n))
}

func (p *publisher) keepUnderWay(ctx context.Context, k int, d time.Duration) error {
	end := time.After(d)
	for {
		if n := p.delivered() + int64(k) - p.published; n > 0 {
			if err := p.publish(n); err != nil {
				return err
			}
		}
		select {
		case <-p.moved:
		case <-end:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *publisher) pace(ctx context.Context, rate int, d time.Duration) error {
	end := time.After(d)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if p.published-p.delivered() > maxPacedLag {
				continue
			}
			if err := p.publish(1); err != nil {
				return err
			}
		case <-end:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drainTime is how long a run waits for its last messages. Where 128 messages for 5,000 links are under way a server
// that writes each alone needs many seconds for them.
const drainTime = 1500 * time.Millisecond

// drain waits until every link has every message, at most drainTime, and stops the crew. Every link must then have all
// of them to the byte or, when time was short, be no further behind than what was under way accounts for.
func (p *publisher) drain(ctx context.Context, underWay int) error {
	each := p.published * int64(p.frame)
	total := each * int64(len(p.crew.fleet.fds))
	for deadline := time.Now().Add(drainTime); p.crew.bytes() < total && time.Now().Before(deadline); {
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	least := each
	if p.crew.bytes() < total {
		least = each - 2*int64(underWay)*int64(p.frame)
	}
	p.crew.rest()
	for _, w := range p.crew.workers {
		for _, l := range w.links {
			if got := int64(l.got); got < least || got > each {
				return fmt.Errorf("a link received %d bytes of %d messages, want %d to %d", got, p.published, least, each)
			}
		}
	}
	return nil
}
