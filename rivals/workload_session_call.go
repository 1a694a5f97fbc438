//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// Session call: one connection, one request after another; longwire-handler answers the same data through the plain
// door. The client reads blocking, so that its own wait is as short as it can be.

var sessionCall = Workload{
	Name:    SessionCall,
	Metrics: []Metric{RoundTrip50, RoundTrip99, CPUPerMsg, MallocsMsg},
	Cells: func(cfg *Config) []Cell {
		return []Cell{{
			Workload: SessionCall, Label: fmt.Sprintf("1 session, %d B", cfg.BroadcastSize),
			Links: 1, Size: cfg.BroadcastSize, Compare: RoundTrip50, Against: []string{"longwire-handler"},
		}}
	},
	Measure: measureCall,
	Bounds: func(Cell) []Bound {
		return []Bound{{Ours: "longwire", Metric: RoundTrip50, Against: []string{"longwire-handler"}, Want: 1.3, AtMost: true}}
	},
}

func measureCall(ctx context.Context, cfg *Config, c Cell, name string) (s Sample, err error) {
	child, err := startChild(ctx, c.Workload, name)
	if err != nil {
		return nil, err
	}
	defer child.Stop()
	server, _ := findServer(c.Workload, name)
	// The echo has no dialect: a text frame that comes back.
	data := payload(c.Size)
	greetings, say := []greeting{upgrading()}, func(b []byte, _ int) []byte { return append(b, data...) }
	size := func(p []byte) (int, int, error) {
		n, head := serverFrameSize(p)
		return head + n, 1, nil
	}
	if server.Speaks != nil {
		greetings, size = server.Speaks.begin(noChannels), server.Speaks.size
		say = func(b []byte, id int) []byte { return appendCall(b, id, data) }
	}
	fleet, err := dialFleet(child.Addr, 1, greetings...)
	if err != nil {
		return nil, err
	}
	defer fleet.close()
	caller := &caller{fd: fleet.fds[0], size: size, say: say}
	if _, err := caller.keep(ctx, cfg.Warmup); err != nil {
		return nil, err
	}
	m, err := begin(child)
	if err != nil {
		return nil, err
	}
	trips, err := caller.keep(ctx, cfg.Duration)
	if err != nil {
		return nil, err
	}
	e, err := m.end()
	if err != nil {
		return nil, err
	}
	slices.Sort(trips)
	n := float64(len(trips))
	return Sample{
		RoundTrip50: micros(trips[len(trips)/2]), RoundTrip99: micros(trips[len(trips)*99/100]),
		CPUPerMsg: micros(e.cpu) / n, MallocsMsg: e.mallocs / n, Foreign: e.foreign,
	}, nil
}

func appendCall(b []byte, id int, data []byte) []byte {
	b = strconv.AppendInt(append(b, `{"op":"call","id":`...), int64(id), 10)
	return append(append(append(b, `,"method":"echo","data":"`...), data...), `"}`...)
}

// A caller has one request under way.
type caller struct {
	fd    int
	size  sizer
	say   func(dst []byte, id int) []byte
	id    int
	count pieces
}

// keep calls for d, at least once, and tells how long each call took.
func (c *caller) keep(ctx context.Context, d time.Duration) (trips []time.Duration, err error) {
	body, frame, buf := []byte(nil), []byte(nil), make([]byte, 64<<10)
	began := time.Now()
	for now := began; (now.Sub(began) < d || len(trips) == 0) && ctx.Err() == nil; {
		c.id++
		body = c.say(body[:0], c.id)
		frame = appendClientFrame(frame[:0], finText, body)
		sent := time.Now()
		if err := writeAll(c.fd, frame); err != nil {
			return nil, err
		}
		if err := c.await(buf); err != nil {
			return nil, err
		}
		now = time.Now()
		trips = append(trips, now.Sub(sent))
	}
	return trips, ctx.Err()
}

func (c *caller) await(buf []byte) error {
	for {
		n, err := readBlocking(c.fd, buf)
		if err != nil || n <= 0 {
			return fmt.Errorf("no answer: %w", cmp.Or(err, io.EOF))
		}
		answers, err := c.count.count(buf[:n], c.size)
		if answers != 0 || err != nil {
			return err
		}
	}
}
