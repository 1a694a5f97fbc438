//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// printTable writes one Markdown table for each workload with every server's figures, then one of what longwire must
// reach.
func printTable(out io.Writer, cfg *Config, results []*Result) {
	fmt.Fprintf(out, "%s, %d cores; medians of %d interleaved runs of %v (idle figures: %d); ratios are taken within a run.\n",
		runtime.Version(), runtime.NumCPU(), cfg.Runs, cfg.Duration, cfg.IdleRuns)
	if most, busy, runs := foreign(results); busy > 0 {
		fmt.Fprintf(out, "Other processes used more than %.0f %% of the machine in %d of %d runs (at most %.0f %%): repeat it on a quiet one.\n",
			100*busyNeighbour, busy, runs, 100*most)
	}
	for _, w := range workloads {
		var mine []*Result
		for _, r := range results {
			if r.Cell.Workload == w.Name {
				mine = append(mine, r)
			}
		}
		if len(mine) > 0 {
			printWorkload(out, w, mine)
		}
	}
	printVerdicts(out, cfg, results)
}

func printWorkload(out io.Writer, w *Workload, results []*Result) {
	head := []string{w.Name, "server"}
	for _, m := range w.Metrics {
		head = append(head, string(m))
	}
	against := results[0].Cell.Against
	if len(against) > 0 {
		head = append(head, "ratio to "+bestOf(against))
	}
	rows := [][]string{head}
	for _, r := range results {
		label := r.Cell.Label
		for _, name := range r.Servers {
			row := []string{label, name}
			for _, m := range w.Metrics {
				row = append(row, format(r.value(name, m)))
			}
			if len(against) > 0 {
				row = append(row, formatRatio(r.ratio(name, r.Cell.Compare, against)))
			}
			if err := r.Errs[name]; err != nil {
				row[1] += " (failed: " + firstLine(err) + ")"
			}
			rows = append(rows, row)
			label = ""
		}
	}
	printMarkdown(out, rows, 2)
}

func printVerdicts(out io.Writer, cfg *Config, results []*Result) {
	rows := [][]string{{"figure", "server", "metric", "must reach", "reached", "verdict"}}
	for _, r := range results {
		for _, b := range findWorkload(r.Cell.Workload).Bounds(r.Cell) {
			if !cfg.Servers.MatchString(b.Ours) {
				continue
			}
			rows = append(rows, []string{
				r.Cell.String(), b.Ours, string(b.Metric), b.String(), b.reached(r), b.verdict(r),
			})
		}
	}
	if len(rows) > 1 {
		printMarkdown(out, rows, 4)
	}
}

func (b Bound) String() string {
	s := "at least "
	if b.AtMost {
		s = "at most "
	}
	s += strconv.FormatFloat(b.Want, 'g', -1, 64)
	if len(b.Against) > 0 {
		s += " × " + bestOf(b.Against)
	}
	return s
}

// figure is the number that Want speaks of.
func (b Bound) figure(r *Result) float64 {
	if len(b.Against) > 0 {
		return r.ratio(b.Ours, b.Metric, b.Against)
	}
	return r.value(b.Ours, b.Metric)
}

func (b Bound) reached(r *Result) string {
	if len(b.Against) > 0 {
		return formatRatio(b.figure(r))
	}
	return format(b.figure(r))
}

const (
	// "At least" means 0.95 of it: what five runs on a shared machine can tell apart.
	tolerance = 0.95
	// The counters themselves, a timer and the runtime allocate a little in the measured time.
	noMallocs = 0.01
)

func (b Bound) verdict(r *Result) string {
	f := b.figure(r)
	switch {
	case math.IsNaN(f):
		return "not measured"
	case b.AtMost && f <= b.Want+noMallocs*boolean(b.Want == 0), !b.AtMost && f >= b.Want*tolerance:
		return "reached"
	}
	return "**MISSED**"
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func bestOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "the best of " + strings.Join(names, ", ")
}

// format shows three or four significant digits, thousands in groups.
func format(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return "–"
	case a >= 1000:
		s := strconv.FormatFloat(math.Round(x), 'f', 0, 64)
		for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case a >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case a >= 0.1:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'f', 4, 64)
}

func formatRatio(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Sprintf("%.120s", strings.ReplaceAll(line, "|", "/"))
}

// printMarkdown aligns the columns for the eye too; those from the left-th on are numbers and go right.
func printMarkdown(out io.Writer, rows [][]string, left int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	rule := make([]string, len(widths))
	for i, n := range widths {
		rule[i] = strings.Repeat("-", n)
		if i >= left {
			rule[i] = strings.Repeat("-", n-1) + ":"
		}
	}
	fmt.Fprintln(out)
	for _, row := range slices.Insert(slices.Clone(rows), 1, rule) {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i >= left {
				fmt.Fprint(out, "| ", pad, cell, " ")
			} else {
				fmt.Fprint(out, "| ", cell, pad, " ")
			}
		}
		fmt.Fprintln(out, "|")
	}
}
