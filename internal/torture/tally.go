package torture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Totals are what happened, counted: a run in which nothing happened proves nothing.
type Totals struct {
	Laps, Kills                    int
	Begun, Acked, Unknown, Refused int // publications and tries
	Received, Gaps                 int
	Links                          map[string]int // that were opened, by way
	ReceivedBy                     map[string]int // publications, by way
	Ends                           map[string]int // why links ended
}

func newTotals() *Totals {
	return &Totals{Links: map[string]int{}, ReceivedBy: map[string]int{}, Ends: map[string]int{}}
}

func (t *Totals) add(u *Totals) {
	t.Laps += u.Laps
	t.Kills += u.Kills
	t.Begun += u.Begun
	t.Acked += u.Acked
	t.Unknown += u.Unknown
	t.Refused += u.Refused
	t.Received += u.Received
	t.Gaps += u.Gaps
	for _, m := range []struct{ to, from map[string]int }{{t.Links, u.Links}, {t.ReceivedBy, u.ReceivedBy}, {t.Ends, u.Ends}} {
		for k, n := range m.from {
			m.to[k] += n
		}
	}
}

// String returns the totals in a few lines.
func (t *Totals) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d kills; %d publications begun, %d acknowledged, %d unknown, %d refused; %d received, %d gaps",
		t.Kills, t.Begun, t.Acked, t.Unknown, t.Refused, t.Received, t.Gaps)
	for _, by := range slices.Sorted(maps.Keys(t.Links)) {
		fmt.Fprintf(&b, "\n  %-18s %5d links %8d received", by, t.Links[by], t.ReceivedBy[by])
	}
	ends := slices.SortedFunc(maps.Keys(t.Ends), func(x, y string) int { return cmp.Or(t.Ends[y]-t.Ends[x], strings.Compare(x, y)) })
	for _, why := range ends {
		fmt.Fprintf(&b, "\n  %5d links ended: %s", t.Ends[why], why)
	}
	return b.String()
}

// A tally counts while a lap runs.
type tally struct {
	mu sync.Mutex
	t  *Totals // guarded by mu
}

func newTally() *tally { return &tally{t: newTotals()} }

func (t *tally) killed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.t.Kills++
}

func (t *tally) received(by string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.t.ReceivedBy[by]++
}

// link counts a link that has ended, and why.
func (t *tally) link(by string, why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.t.Links[by]++
	t.t.Ends[reason(why)]++
}

// reason returns an error without what is another each time: addresses.
func reason(err error) string {
	s := err.Error()
	if i := strings.LastIndex(s, "127.0.0.1:"); i >= 0 {
		_, s, _ = strings.Cut(s[i:], ": ")
	}
	return s
}

// totals counts a history's events, and ends.
func (t *tally) totals(events []Event) *Totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.t.Laps = 1
	for i := range events {
		switch events[i].Kind {
		case Begun:
			t.t.Begun++
		case Acked:
			t.t.Acked++
		case Unknown:
			t.t.Unknown++
		case Refused:
			t.t.Refused++
		case Received:
			t.t.Received++
		case Gapped:
			t.t.Gaps++
		}
	}
	return t.t
}
