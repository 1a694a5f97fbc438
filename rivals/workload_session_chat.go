//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Session chat: a channel for each pair of sessions. One of a pair publishes; the publication is complete when it has
// the answer and both have the message. Then the next pair takes the turn, so that all of them do, and in the next round
// the other of each pair publishes. Saturated, Window publications are under way at all times; paced, Config.ChatRate
// begin each second, a few at a time.

var sessionChat = Workload{
	Name:    SessionChat,
	Metrics: []Metric{CPUPerPub, PubsPerSec, MallocsPub},
	Cells: func(cfg *Config) []Cell {
		c := Cell{Workload: SessionChat, Links: 2 * cfg.ChatPairs, Size: cfg.BroadcastSize, Compare: CPUPerPub, Against: []string{"raw"}}
		paced, busy := c, c
		busy.Window = cfg.ChatUnderWay
		busy.Label = fmt.Sprintf("%d channels of two, %d B, %d under way", cfg.ChatPairs, c.Size, busy.Window)
		paced.Label = fmt.Sprintf("%d channels of two, %d B, %d publications/s", cfg.ChatPairs, c.Size, cfg.ChatRate)
		return []Cell{busy, paced}
	},
	Measure: measureChat,
	Bounds: func(Cell) []Bound {
		return []Bound{{Ours: "longwire", Metric: CPUPerPub, Against: []string{"raw"}, Want: 1.6, AtMost: true}}
	},
}

// copies is what a publication has come to when it is complete: the answer and two messages.
const copies = 3

// A chat is the client of all pairs.
type chat struct {
	speaks *dialect
	data   []byte
	window int // for each worker; 0: paced
	rate   int // publications/s of each worker

	talks    map[*worker]*talk
	stopping atomic.Bool
	begun    atomic.Int64
}

// A talk is one worker's share of the pairs.
type talk struct {
	// Owned by the worker's goroutine.
	missing  []int8 // by pair: copies that have not come of the publication under way
	next     int    // the pair whose turn it is
	round    int
	underWay int
	since    time.Time // paced: when the first began
	begun    int
	buf      []byte
}

func measureChat(ctx context.Context, cfg *Config, c Cell, name string) (s Sample, err error) {
	child, err := startChild(ctx, c.Workload, name)
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	server, _ := findServer(c.Workload, name)
	fleet, err := dialFleet(child.Addr, c.Links, server.Speaks.begin(func(i int) []string { return []string{channelName(i / 2)} })...)
	if err != nil {
		return nil, err
	}
	chat := &chat{
		speaks: server.Speaks, data: payload(c.Size), talks: map[*worker]*talk{},
		window: (c.Window + crewSize - 1) / crewSize, rate: cfg.ChatRate / crewSize,
	}
	crew, err := newCrew(fleet, 2, chat.read, chat.turn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, crew.halt()) }()
	for _, w := range crew.workers {
		chat.talks[w] = &talk{missing: make([]int8, len(w.links)/2)}
		if chat.window == 0 {
			w.turn = 1
		}
	}
	if err := crew.start(nil); err != nil {
		return nil, err
	}
	if s, err = measurePublications(ctx, cfg, child, crew); err != nil {
		return nil, err
	}
	chat.stopping.Store(true)
	if err := until(ctx, drainTime, func() bool { return crew.msgs() == chat.begun.Load() }); err != nil {
		return nil, err
	}
	if done, begun := crew.msgs(), chat.begun.Load(); done != begun {
		return nil, fmt.Errorf("%d of %d publications were complete", done, begun)
	}
	return s, nil
}

// measurePublications measures a crew that counts publications.
func measurePublications(ctx context.Context, cfg *Config, child *Child, crew *crew) (Sample, error) {
	if err := sleep(ctx, cfg.Warmup); err != nil {
		return nil, err
	}
	m, err := begin(child)
	if err != nil {
		return nil, err
	}
	before := crew.msgs()
	n, err := atLeastOne(func() error { return sleep(ctx, cfg.Duration) }, func() float64 { return float64(crew.msgs() - before) })
	if err != nil {
		return nil, err
	}
	e, err := m.end()
	if err != nil {
		return nil, err
	}
	return Sample{
		CPUPerPub: micros(e.cpu) / n, PubsPerSec: n / e.wall.Seconds(), MallocsPub: e.mallocs / n, Foreign: e.foreign,
	}, nil
}

// read counts what has come for a pair, and hands the turn on when that was all.
func (c *chat) read(w *worker, l *link, p []byte) (done int, err error) {
	n, err := l.count(p, c.speaks.size)
	if n == 0 || err != nil {
		return 0, err
	}
	t, pair := c.talks[w], l.i/2/crewSize
	if t.missing[pair] -= int8(n); t.missing[pair] < 0 {
		return 0, fmt.Errorf("%d messages too many on %s", -t.missing[pair], channelName(l.i/2))
	}
	if t.missing[pair] > 0 {
		return 0, nil
	}
	t.underWay--
	if t.underWay < c.window && !c.stopping.Load() {
		err = c.begin(w, t)
	}
	return 1, err
}

// turn begins what is due.
func (c *chat) turn(w *worker) error {
	t, due := c.talks[w], c.window
	if c.stopping.Load() {
		return nil
	}
	if c.window == 0 {
		if t.since.IsZero() {
			t.since = time.Now()
		}
		missed := int(time.Since(t.since).Seconds()*float64(c.rate)) - t.begun
		t.begun += missed
		due = t.underWay + missed
	}
	for t.underWay < min(due, len(t.missing)) {
		if err := c.begin(w, t); err != nil {
			return err
		}
	}
	return nil
}

// begin lets the next pair publish of those that have nothing under way, of which there is one.
func (c *chat) begin(w *worker, t *talk) error {
	for t.missing[t.next] > 0 {
		t.step()
	}
	l := &w.links[2*t.next+t.round%2]
	t.missing[t.next] = copies
	t.underWay++
	c.begun.Add(1)
	t.buf = c.speaks.publish(t.buf[:0], 1_000_000+t.round, channelName(l.i/2), c.data)
	t.step()
	return writeAll(l.fd, t.buf)
}

func (t *talk) step() {
	if t.next++; t.next == len(t.missing) {
		t.next = 0
		t.round++
	}
}
