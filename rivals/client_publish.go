//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A message is under way from the order to publish it until each of the sampled receivers (every link where there are
// few, else 64 spread evenly) has all of it. A run in which a link misses a message does not count.
const sampledLinks = 64

// maxPacedLag is how many messages a paced server may be behind before the pacer holds its tongue, to stay bounded.
const maxPacedLag = 60

// A publisher has messages published to all links of a fleet and knows how far the receivers are.
type publisher struct {
	crew  *crew
	order func(n int64) (int64, error) // has up to n messages published; returns how many
	moved chan struct{}                // some worker's low has moved, or more can be ordered than before

	published int64 // owned by the measuring goroutine
}

// newPublisher sets the receivers going. The order is the caller's to set, and the crew the caller's to halt.
func newPublisher(f *fleet, onRead func(*worker, *link, []byte) (int, error)) (*publisher, error) {
	p := &publisher{moved: make(chan struct{}, 1)}
	var err error
	if p.crew, err = newCrew(f, 1, onRead, p.watch(max(1, len(f.fds)/sampledLinks))); err != nil {
		return nil, err
	}
	if err := p.crew.start(nil); err != nil {
		return nil, errors.Join(err, p.crew.halt())
	}
	return p, nil
}

// measure keeps window messages under way or, with a window of 0, publishes cfg.Rate of them a second.
func (p *publisher) measure(ctx context.Context, cfg *Config, window int, child *Child) (Sample, error) {
	keep := func(d time.Duration) error { return p.keepUnderWay(ctx, window, d) }
	if window == 0 {
		keep = func(d time.Duration) error { return p.pace(ctx, cfg.Rate, d) }
	}
	if err := keep(cfg.Warmup); err != nil {
		return nil, err
	}
	m, err := begin(child)
	if err != nil {
		return nil, err
	}
	before := p.crew.msgs()
	n, err := atLeastOne(func() error { return keep(cfg.Duration) }, func() float64 { return float64(p.crew.msgs() - before) })
	if err != nil {
		return nil, err
	}
	e, err := m.end()
	if err != nil {
		return nil, err
	}
	if err := p.drain(ctx, max(window, maxPacedLag)); err != nil {
		return nil, err
	}
	return Sample{
		CPUPerDeliv: micros(e.cpu) / n, DelivPerCPU: n / e.cpu.Seconds(), DelivPerSec: n / e.wall.Seconds(),
		MallocsDeliv: e.mallocs / n, Foreign: e.foreign,
	}, nil
}

// watch tells, after each turn of a worker, the number of messages that all its sampled links have.
func (p *publisher) watch(every int) func(*worker) error {
	return func(w *worker) error {
		if len(w.links) == 0 {
			return nil
		}
		low := w.links[0].msgs
		for i := 0; i < len(w.links); i += every {
			low = min(low, w.links[i].msgs)
		}
		if low := int64(low); low > w.low.Load() {
			w.low.Store(low)
			p.poke()
		}
		return nil
	}
}

func (p *publisher) poke() {
	select {
	case p.moved <- struct{}{}:
	default:
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
	n, err := p.order(n)
	p.published += n
	return err
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
// of them or, when time was short, be no further behind than what was under way accounts for.
func (p *publisher) drain(ctx context.Context, underWay int) error {
	total := p.published * int64(len(p.crew.fleet.fds))
	if err := until(ctx, drainTime, func() bool { return p.crew.msgs() >= total }); err != nil {
		return err
	}
	least := p.published
	if p.crew.msgs() < total {
		least -= 2 * int64(underWay)
	}
	p.crew.rest()
	for _, w := range p.crew.workers {
		for _, l := range w.links {
			if got := int64(l.msgs); got < least || got > p.published {
				return fmt.Errorf("a link received %d of %d messages, want at least %d", got, p.published, least)
			}
		}
	}
	return nil
}

// until waits for done, at most d.
func until(ctx context.Context, d time.Duration, done func() bool) error {
	for deadline := time.Now().Add(d); !done() && time.Now().Before(deadline); {
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
