package torture

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// Options say how to torture a server. Binary is needed; all else has defaults.
type Options struct {
	// Binary is the server's program.
	Binary string
	// Dir is where laps keep their data. Empty means the system's for temporary files. What a
	// lap kept is deleted when nothing was wrong with it.
	Dir string
	// Data is the server's --data. Empty means below Dir. With "memory" it forgets all when it is
	// killed, which is to be found out.
	Data string
	// Keep is how many publications of a channel the server keeps; who comes back later is told of a gap, and
	// some do. Zero means all.
	Keep int
	// Layouts are what the seed chooses from for each lap. None means one partition and one class.
	Layouts []Layout
	// Seed decides what was left to chance: who reads what by which ways, when the server is killed. What
	// threads and sockets do it does not decide.
	Seed uint64
	// Duration is how long to begin laps. Zero means one lap.
	Duration time.Duration
	// Kills is how often the server is killed in a lap. Zero means 20.
	Kills int
	// Publishers and Subscribers are how many there are. Zero means 20 and 100.
	Publishers, Subscribers int
	// Pace is the mean time between two publications of one publisher. Zero means 40 ms.
	Pace time.Duration
	// Uptime is the most that the server lives between two kills. Zero means 2 s.
	Uptime time.Duration
	// Least is how many publications there are at least where not all are kept, however slow the machine is.
	Least int
	// Large is whether all publications are large, so that few of them fill what waits for a slow reader.
	Large bool
	// Stop is the most for which somebody stops reading who does so now and then. Zero means 2 s.
	Stop time.Duration
	// Log hears what goes on, a line at a time. Nil means that nobody does.
	Log io.Writer
}

func (o Options) filled() Options {
	o.Kills = cmp.Or(o.Kills, 20)
	o.Publishers = cmp.Or(o.Publishers, 20)
	o.Subscribers = cmp.Or(o.Subscribers, 100)
	o.Pace = cmp.Or(o.Pace, 40*time.Millisecond)
	o.Uptime = cmp.Or(o.Uptime, 2*time.Second)
	o.Stop = cmp.Or(o.Stop, 2*time.Second)
	if len(o.Layouts) == 0 {
		o.Layouts = []Layout{{1, 1}}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

// Run runs one lap after the other, until one has found a fault, or the time is over. Each has a new server with new
// data, a seed of its own, and a history that is judged and forgotten at its end, so a run may be as long as one likes. An error
// tells all that is known of what went wrong.
func Run(ctx context.Context, o *Options) (*Totals, error) {
	opts := o.filled()
	total := newTotals()
	began := time.Now()
	for n := uint64(0); n == 0 || time.Since(began) < opts.Duration; n++ {
		seed := opts.Seed + n
		t, err := runLap(ctx, opts, seed)
		total.add(t)
		if err != nil {
			return total, fmt.Errorf("torture: lap with seed %d: %w", seed, err)
		}
		fmt.Fprintf(opts.Log, "seed %d: %s\n", seed, t)
	}
	return total, nil
}

func runLap(ctx context.Context, o Options, seed uint64) (t *Totals, err error) {
	dir, err := os.MkdirTemp(o.Dir, "torture-")
	if err != nil {
		return newTotals(), err
	}
	l, err := newLap(o, seed, dir)
	if err != nil {
		return newTotals(), err
	}
	err = l.run(ctx)
	if err == nil {
		err = os.RemoveAll(dir)
	}
	return l.tally.totals(l.h.all()), err
}
