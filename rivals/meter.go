//go:build linux

package main

import "time"

// A meter is the server's expense over a stretch of wall time.
type meter struct {
	child   *Child
	mallocs uint64
	cpu     time.Duration
	began   time.Time
}

// begin asks for the allocation counters first, so that asking is not in the CPU time.
func begin(c *Child) (*meter, error) {
	stats, err := c.Stats()
	if err != nil {
		return nil, err
	}
	cpu, err := c.CPU()
	return &meter{child: c, mallocs: stats.Mallocs, cpu: cpu, began: time.Now()}, err
}

// An expense is what a meter read.
type expense struct {
	wall, cpu time.Duration
	mallocs   float64
}

func (m *meter) end() (expense, error) {
	wall := time.Since(m.began)
	cpu, err := m.child.CPU()
	if err != nil {
		return expense{}, err
	}
	stats, err := m.child.Stats()
	return expense{wall: wall, cpu: cpu - m.cpu, mallocs: float64(stats.Mallocs - m.mallocs)}, err
}
