//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Files resume: the server is killed and started again, and then all sessions say at once where they stood, a hundred
// publications ago. Their connections are open by then, so that what is measured is taking them up and sending them
// what they miss. Each has to get exactly that, in order. Beside it stands the time that the raw server takes to write
// as many bytes to as many sockets, with one write for each that has room.

var filesResume = Workload{
	Name:    FilesResume,
	Metrics: []Metric{ResumeSecs, BareSecs, BareRatio, PageReads, ResumeBytes},
	Cells: func(cfg *Config) (cells []Cell) {
		for _, n := range cfg.ResumeChannels {
			cells = append(cells, Cell{
				Workload: FilesResume, Label: fmt.Sprintf("%d sessions on %d channels, %d missed", cfg.ResumeLinks, n, missedEach),
				Links: cfg.ResumeLinks, Window: n, Size: cfg.BroadcastSize, Compare: ResumeSecs,
			})
		}
		return cells
	},
	Measure: measureResume,
	Bounds: func(c Cell) []Bound {
		return []Bound{{Ours: "longwire-files", Metric: PageReads, Want: float64(c.Links) / 2, AtMost: true}}
	},
}

const (
	missedEach = 100              // publications that each session missed
	resumeTime = 90 * time.Second // after which one that is not there counts as missed
)

func measureResume(ctx context.Context, _ *Config, c Cell, name string) (Sample, error) {
	dir, err := os.MkdirTemp("", "rivals-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	position, err := missSomething(ctx, c, name, dir)
	if err != nil {
		return nil, err
	}
	s, bytes, err := resumeAll(ctx, c, name, dir, position)
	if err != nil {
		return nil, err
	}
	bare, err := writeBare(ctx, c.Links, bytes/c.Links)
	if err != nil {
		return nil, err
	}
	s[BareSecs], s[BareRatio] = bare.Seconds(), s[ResumeSecs]/bare.Seconds()
	return s, nil
}

// missSomething has the server told of publications after a position, which it returns, and kills it.
func missSomething(ctx context.Context, c Cell, name, dir string) (position string, err error) {
	child, err := startChild(ctx, c.Workload, name, "-data", dir)
	if err != nil {
		return "", err
	}
	defer child.Kill()
	fleet, err := dialFleet(child.Addr, 1, asking(upgradeTo("/connect"), statusSwitching), greeting{
		say: func(int) []byte {
			return appendClientFrame(nil, finText, appendConnect(nil, []string{channelName(0)}))
		},
		heard: func(p []byte) (bool, error) {
			n, head := serverFrameSize(p)
			if head == 0 || len(p) < head+n {
				return false, nil
			}
			_, rest, _ := bytes.Cut(p[head:], []byte(`"position":"`))
			at, _, ok := bytes.Cut(rest, []byte(`"`))
			if position = string(at); !ok {
				return false, fmt.Errorf("no position in %.400q", p[head:])
			}
			return true, connected(p[head:])
		},
	})
	if err != nil {
		return "", err
	}
	defer fleet.close() // a reset that nobody reads
	_, err = child.Fill(c.Window*missedEach, c.Window, c.Size)
	return position, err
}

// resumeAll starts the server again and has all sessions resume. It returns how many bytes came.
func resumeAll(ctx context.Context, c Cell, name, dir, position string) (s Sample, bytes int, err error) {
	child, err := startChild(ctx, c.Workload, name, "-data", dir)
	if err != nil {
		return nil, 0, err
	}
	defer child.Stop()
	fleet, err := dialFleet(child.Addr, c.Links, asking(upgradeTo("/connect"), statusSwitching))
	if err != nil {
		return nil, 0, err
	}
	channel := func(i int) string { return channelName(i % c.Window) }
	hearers, sizes := make([]hearer, c.Links), make([]int, c.Links)
	crew, err := newCrew(fleet, 1, func(_ *worker, l *link, p []byte) (int, error) {
		sizes[l.i] += len(p)
		return hearers[l.i].hear(p, channel(l.i))
	}, nil)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, crew.halt()) }()
	frames := make([][]byte, c.Links)
	for i := range frames {
		frames[i] = appendClientFrame(nil, finText, fmt.Appendf(nil,
			`{"op":"connect","id":1,"subscribe":[{"channel":"%s","since":"%s"}]}`, channel(i), position))
	}
	before, err := child.Stats()
	if err != nil {
		return nil, 0, err
	}
	began := time.Now()
	if err := crew.start(nil); err != nil {
		return nil, 0, err
	}
	for i, fd := range fleet.fds {
		if err := writeAll(fd, frames[i]); err != nil {
			return nil, 0, err
		}
	}
	want := int64(c.Links * missedEach)
	if err := until(ctx, resumeTime, func() bool { return crew.msgs() >= want }); err != nil {
		return nil, 0, err
	}
	took := time.Since(began)
	after, err := child.Stats()
	if err != nil {
		return nil, 0, err
	}
	crew.rest()
	for i := range hearers {
		if hearers[i].next != missedEach {
			return nil, 0, fmt.Errorf("session %d got %d of %d publications", i, hearers[i].next, missedEach)
		}
		bytes += sizes[i]
	}
	return Sample{ResumeSecs: took.Seconds(), PageReads: float64(after.Reads - before.Reads), ResumeBytes: float64(bytes) / 1e6}, bytes, nil
}

// writeBare tells how long the raw server takes to write so many bytes to each of n sockets.
func writeBare(ctx context.Context, n, size int) (took time.Duration, err error) {
	child, err := startChild(ctx, Broadcast, "raw", "-size", fmt.Sprint(size))
	if err != nil {
		return 0, err
	}
	defer child.Stop()
	fleet, err := dialFleet(child.Addr, n, rawWS.begin(func(int) []string { return []string{channelName(0)} })...)
	if err != nil {
		return 0, err
	}
	crew, err := newCrew(fleet, 1, func(_ *worker, l *link, p []byte) (int, error) { return l.count(p, rawWS.size) }, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, crew.halt()) }()
	began := time.Now()
	if err := errors.Join(crew.start(nil), child.Publish(1)); err != nil {
		return 0, err
	}
	if err := until(ctx, resumeTime, func() bool { return crew.msgs() >= int64(n) }); err != nil {
		return 0, err
	}
	if got := crew.msgs(); got != int64(n) {
		return 0, fmt.Errorf("bare: %d of %d sockets got it", got, n)
	}
	return time.Since(began), nil
}
