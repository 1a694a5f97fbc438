//go:build linux

package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// A Sample is what one run of one server in one cell gave, by metric.
type Sample map[Metric]float64

// A Metric names a measured figure with its unit.
type Metric string

const (
	MsgsPerSec   Metric = "messages/s"
	CPUPerMsg    Metric = "server CPU µs/message"
	MallocsMsg   Metric = "mallocs/message"
	BytesPerLink Metric = "B/link after FreeOSMemory"
	BytesUnforce Metric = "B/link unforced"
	CPUPerLinkS  Metric = "CPU µs/link·s"
	CPUPerDeliv  Metric = "server CPU µs/delivery"
	DelivPerCPU  Metric = "deliveries/server-CPU-s"
	DelivPerSec  Metric = "deliveries/s"
	MallocsDeliv Metric = "mallocs/delivery"
	ConnsPerCPU  Metric = "upgrades/server-CPU-s"
	ConnsPerSec  Metric = "upgrades/s"
	CPUPerPub    Metric = "server CPU µs/publication"
	PubsPerSec   Metric = "publications/s"
	MallocsPub   Metric = "mallocs/publication"
	MallocsFew   Metric = "mallocs/publication, few"
	MallocsMany  Metric = "mallocs/publication, many"
	MallocsMore  Metric = "mallocs/further delivery"
	RoundTrip50  Metric = "µs/round trip, p50"
	RoundTrip99  Metric = "µs/round trip, p99"
	Latency50    Metric = "µs from publishing to receiving, p50"
	Latency99    Metric = "µs from publishing to receiving, p99"
	StartSecs    Metric = "s from start to ready"
	OpenSecs     Metric = "s of it: opening the data"
	WindowSecs   Metric = "s of it: the node, filling its window"
	ResumeSecs   Metric = "s until all have everything"
	BareSecs     Metric = "s for the same bytes, bare"
	BareRatio    Metric = "ratio to bare"
	PageReads    Metric = "reads of history"
	ResumeBytes  Metric = "MB in all"
	QuietP99     Metric = "µs p99, all read"
	SlowP99      Metric = "µs p99 of the others, one does not read"
	SlowRatio    Metric = "ratio of the two"
	HeapQuiet    Metric = "MB of live heap more, all read"
	HeapSlow     Metric = "MB of live heap more, one does not read"
	QueuedMost   Metric = "bytes queued for a link, most"

	// Foreign is not of the server: the share of the machine that other processes used during the run.
	Foreign Metric = "foreign CPU"
)

// moreIsBetter says in which direction a metric is good.
func (m Metric) moreIsBetter() bool {
	switch m {
	case MsgsPerSec, DelivPerCPU, DelivPerSec, ConnsPerCPU, ConnsPerSec, PubsPerSec:
		return true
	}
	return false
}

// A Result holds the samples of one cell by server, one entry per run; a failed run is nil.
type Result struct {
	Cell    Cell
	Servers []string
	Samples map[string][]Sample
	Errs    map[string]error // the last failure of a server
}

// median is NaN for no values.
func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// value is the median of a server's metric over the runs.
func (r *Result) value(server string, m Metric) float64 {
	var v []float64
	for _, s := range r.Samples[server] {
		if x, ok := s[m]; ok {
			v = append(v, x)
		}
	}
	return median(v)
}

// ratio is the median over the runs of the server's figure by the best one of against in the same run, so that what
// the machine does to one round it does to both sides of the quotient.
func (r *Result) ratio(server string, m Metric, against []string) float64 {
	var v []float64
	for run, s := range r.Samples[server] {
		x, ok := s[m]
		if best := r.best(run, m, against); ok && best > 0 {
			v = append(v, x/best)
		}
	}
	return median(v)
}

func (r *Result) best(run int, m Metric, among []string) float64 {
	best := 0.0
	for _, name := range among {
		if run >= len(r.Samples[name]) {
			continue
		}
		x, ok := r.Samples[name][run][m]
		if ok && (best == 0 || (x > best) == m.moreIsBetter()) {
			best = x
		}
	}
	return best
}

// foreign is the most that other processes had of the machine in any run of the results.
func foreign(results []*Result) (most float64, busy, runs int) {
	for _, r := range results {
		for _, samples := range r.Samples {
			for _, s := range samples {
				if x, ok := s[Foreign]; ok {
					most = max(most, x)
					runs++
					if x > busyNeighbour {
						busy++
					}
				}
			}
		}
	}
	return most, busy, runs
}

// busyNeighbour is the share of the machine above which a run is worth a remark.
const busyNeighbour = 0.05

// isOurs tells longwire's own servers from the rivals.
func isOurs(name string) bool { return strings.HasPrefix(name, "longwire") }

func oursFirst(a, b string) int {
	if isOurs(a) != isOurs(b) {
		if isOurs(a) {
			return -1
		}
		return 1
	}
	return cmp.Compare(a, b)
}
