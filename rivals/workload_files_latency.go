//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Files latency: a session publishes to one channel at a steady rate, and each of its subscribers notes how long after
// that it has the message. Publisher and subscribers are in one process and so have one clock. A figure is of all
// deliveries of the measured time; a run in which a session misses a message or gets one out of order does not count.

var filesLatency = Workload{
	Name:    FilesLatency,
	Metrics: []Metric{Latency50, Latency99, CPUPerDeliv},
	Cells: func(cfg *Config) (cells []Cell) {
		for _, c := range []struct{ rate, links int }{{100, 100}, {1000, 10}, {1000, 100}} {
			cells = append(cells, Cell{
				Workload: FilesLatency, Label: fmt.Sprintf("%d messages/s to %d sessions, %d B", c.rate, c.links, cfg.BroadcastSize),
				Links: c.links, Size: cfg.BroadcastSize, Window: c.rate, Compare: Latency50,
			})
		}
		return cells
	},
	Measure: measureLatency,
	Bounds: func(c Cell) []Bound {
		if c.Links*c.Window > 10_000 {
			return nil // reported only
		}
		return []Bound{
			{Ours: "longwire-files", Metric: Latency50, Want: 1000, AtMost: true},
			{Ours: "longwire-files", Metric: Latency99, Want: 8000, AtMost: true},
		}
	},
}

func measureLatency(ctx context.Context, cfg *Config, c Cell, name string) (s Sample, err error) {
	child, err := startChild(ctx, c.Workload, name)
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	server, _ := findServer(c.Workload, name)
	b, err := newBeat(child.Addr, server.Speaks, c.Links, c.Size, c.Window, 2*(cfg.Warmup+cfg.Duration))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.crew.halt()) }()
	if _, err := b.keep(ctx, cfg.Warmup); err != nil {
		return nil, err
	}
	m, err := begin(child)
	if err != nil {
		return nil, err
	}
	waits, err := b.keep(ctx, cfg.Duration)
	if err != nil {
		return nil, err
	}
	e, err := m.end()
	if err != nil {
		return nil, err
	}
	return Sample{
		Latency50: quantile(waits, 0.50), Latency99: quantile(waits, 0.99),
		CPUPerDeliv: micros(e.cpu) / float64(len(waits)), Foreign: e.foreign,
	}, nil
}

// A beat publishes numbered messages at a steady rate over one session, and has others note when each comes.
type beat struct {
	crew   *crew
	speaks *dialect
	size   int
	rate   int
	sent   []atomic.Int64 // when, by number, in nanoseconds since began; as long as there is room for publications
	began  time.Time
	heard  map[*worker]*heardBy

	// Owned by the measuring goroutine.
	published int
	buf       []byte
}

// heardBy is what one worker's links have heard.
type heardBy struct {
	// Owned by the worker's goroutine; by anyone once the crew has counted it.
	hearers []hearer
	waits   [][]float64 // by link: µs from publishing to receiving
}

// newBeat dials the publisher, which is the first link, and n subscribers.
func newBeat(addr string, d *dialect, n, size, rate int, most time.Duration) (*beat, error) {
	b := &beat{
		speaks: d, size: size, rate: rate, began: time.Now(), heard: map[*worker]*heardBy{},
		sent: make([]atomic.Int64, int(most.Seconds()*float64(rate))+rate),
	}
	fleet, err := dialFleet(addr, 1+n, d.begin(func(i int) []string {
		if i == 0 {
			return nil
		}
		return []string{channelName(0)}
	})...)
	if err != nil {
		return nil, err
	}
	if b.crew, err = newCrew(fleet, 1, b.hear, nil); err != nil {
		return nil, err
	}
	for _, w := range b.crew.workers {
		b.heard[w] = &heardBy{hearers: make([]hearer, len(w.links)), waits: make([][]float64, len(w.links))}
		for i := range w.links {
			b.heard[w].waits[i] = make([]float64, 0, len(b.sent))
		}
	}
	return b, b.crew.start(nil)
}

// hear notes what has come on a link. The publisher's answers are nothing to note.
func (b *beat) hear(w *worker, l *link, p []byte) (int, error) {
	now := int64(time.Since(b.began))
	if l.i == 0 {
		_, err := l.count(p, b.speaks.size)
		return 0, err
	}
	h, at := b.heard[w], l.i/crewSize
	n, err := h.hearers[at].hear(p, channelName(0))
	for range n {
		wait := now - b.sent[len(h.waits[at])].Load()
		h.waits[at] = append(h.waits[at], float64(wait)/1000)
	}
	return n, err
}

// keep publishes for a while, waits until all have everything, and returns how long each delivery of it took.
func (b *beat) keep(ctx context.Context, d time.Duration) ([]float64, error) {
	first := b.published
	if err := b.publish(ctx, d); err != nil {
		return nil, err
	}
	if err := b.settle(ctx, 0); err != nil {
		return nil, err
	}
	return b.waits(first, b.published, -1), nil
}

// publish publishes for a while. Who is late makes up for it.
func (b *beat) publish(ctx context.Context, d time.Duration) error {
	began, first := time.Now(), b.published
	tick := time.NewTicker(min(time.Millisecond, time.Second/time.Duration(b.rate)))
	defer tick.Stop()
	for time.Since(began) < d {
		for due := int(time.Since(began).Seconds() * float64(b.rate)); b.published-first < due; b.published++ {
			b.buf = b.speaks.publish(b.buf[:0], 1+b.published, channelName(0), numbered(b.published, b.size))
			b.sent[b.published].Store(int64(time.Since(b.began)))
			if err := writeAll(b.crew.fleet.fds[0], b.buf); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// settleTime is how long it may take until all have everything.
const settleTime = 10 * time.Second

// settle waits until all sessions have everything, but for so many messages.
func (b *beat) settle(ctx context.Context, missing int) error {
	want := int64(b.published*(len(b.crew.fleet.fds)-1) - missing)
	if err := until(ctx, settleTime, func() bool { return b.crew.msgs() >= want }); err != nil {
		return err
	}
	if got := b.crew.msgs(); got < want {
		return fmt.Errorf("%d of %d deliveries came", got, want)
	}
	return nil
}

// waits returns how long the deliveries of some publications took, but not those of one link. Workers that have counted
// these messages do not touch them any more.
func (b *beat) waits(from, to, but int) (all []float64) {
	for w, h := range b.heard {
		for i := range w.links {
			if l := w.links[i].i; l != 0 && l != but {
				all = append(all, h.waits[i][:to][from:]...)
			}
		}
	}
	slices.Sort(all)
	return all
}

// quantile is of sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
