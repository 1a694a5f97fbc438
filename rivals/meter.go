//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A meter is the server's expense over a stretch of wall time, and how much of the machine went to neither server nor
// driver meanwhile: a run beside a busy neighbour says little, so the table tells of it.
type meter struct {
	child   *Child
	mallocs uint64
	cpu     time.Duration
	driver  time.Duration
	machine time.Duration
	began   time.Time
}

// An expense is what a meter read.
type expense struct {
	wall, cpu time.Duration
	mallocs   float64
	foreign   float64 // share of all cores' time that others used, 0 to 1
}

// begin asks for the allocation counters first, so that asking is not in the CPU time.
func begin(c *Child) (*meter, error) {
	stats, err := c.Stats()
	if err != nil {
		return nil, err
	}
	m := &meter{child: c, mallocs: stats.Mallocs}
	m.cpu, m.driver, m.machine, err = clocks(c)
	m.began = time.Now()
	return m, err
}

func (m *meter) end() (expense, error) {
	wall := time.Since(m.began)
	cpu, driver, machine, err := clocks(m.child)
	if err != nil {
		return expense{}, err
	}
	e := expense{wall: wall, cpu: cpu - m.cpu}
	others := (machine - m.machine) - e.cpu - (driver - m.driver)
	e.foreign = max(0, float64(others)/float64(wall)/float64(runtime.NumCPU()))
	stats, err := m.child.Stats()
	e.mallocs = float64(stats.Mallocs - m.mallocs)
	return e, err
}

// clocks reads the CPU time of the server, of this process and of the whole machine.
func clocks(c *Child) (server, driver, machine time.Duration, err error) {
	if server, err = c.CPU(); err != nil {
		return 0, 0, 0, err
	}
	var ts unix.Timespec
	if err = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		return 0, 0, 0, err
	}
	machine, err = machineCPU()
	return server, time.Duration(ts.Nano()), machine, err
}

// machineCPU sums what the first line of /proc/stat counts as busy, in ticks of 10 ms: all but idle and iowait (the
// fourth and fifth number) and guest time, which user time contains.
func machineCPU() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins %q", line)
	}
	var ticks int64
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
