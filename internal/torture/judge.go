package torture

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// judge returns an error that tells every fault, and what led to the first ones. The whole history is left beside the
// server's data then.
func (l *lap) judge(late error) error {
	events, whole := l.h.Events()
	faults := Check(events, l.keeps)
	l.mu.Lock()
	err := errors.Join(late, l.failed)
	l.mu.Unlock()
	if !whole {
		err = errors.Join(err, fmt.Errorf("there were more than %d events", MaxEvents))
	}
	if len(faults) > 0 {
		err = errors.Join(err, &FoundError{faults, report(events, faults)})
	}
	if err != nil {
		err = errors.Join(err, l.keep(events))
	}
	return l.explained(err)
}

// explained adds to an error what the server said last, and where its data are.
func (l *lap) explained(err error) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(l.srv.said.String()), "\n")
	lines = lines[max(0, len(lines)-maxLog):]
	return fmt.Errorf("%w\ndata and history: %s\nthe server said last:\n%s", err, l.dir, strings.Join(lines, "\n"))
}

// What a report has at most.
const (
	maxLog     = 30  // lines of the server
	maxFaults  = 5   // whose history is shown
	maxListed  = 100 // that are told
	maxHistory = 40  // events of each
)

func (l *lap) keep(events []Event) error {
	f, err := os.Create(filepath.Join(l.dir, "history.txt"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for i := range events {
		fmt.Fprintln(w, &events[i])
	}
	return w.Flush()
}

// A FoundError says that promises were not kept.
type FoundError struct {
	Faults []Fault
	report string
}

func (e *FoundError) Error() string { return e.report }

// report tells faults, and the history of the first ones: of each the last events of its subscriber and channel before it
// shows, its publication's, and the server's.
func report(events []Event, faults []Fault) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d faults", len(faults))
	for i := range faults {
		if i == maxListed {
			fmt.Fprintf(&b, "\n  … and %d more", len(faults)-i)
			break
		}
		fmt.Fprintf(&b, "\n  %s", &faults[i])
	}
	for i := range faults[:min(len(faults), maxFaults)] {
		fmt.Fprintf(&b, "\nhow it came to: %s", &faults[i])
		for _, e := range excerpt(events, &faults[i]) {
			fmt.Fprintf(&b, "\n  %s", e)
		}
	}
	return b.String()
}

// excerpt returns the events that are about a fault: up to it the last so many, and all of its publication itself.
func excerpt(events []Event, f *Fault) (about []*Event) {
	from, n := 0, 0
	for i := f.At; i >= 0 && n < maxHistory; i-- {
		if f.concerns(&events[i]) {
			from, n = i, n+1
		}
	}
	for i := range events {
		e := &events[i]
		if f.isOf(e) || i >= from && i <= f.At && f.concerns(e) {
			about = append(about, e)
		}
	}
	return about[:min(len(about), 2*maxHistory)]
}

// isOf reports whether an event is about a fault's publication by itself.
func (f *Fault) isOf(e *Event) bool {
	return e.ID == f.ID && f.ID != (ID{}) && (e.Kind <= Refused || e.Kind == Kept)
}

// concerns reports whether an event belongs to the history of a fault.
func (f *Fault) concerns(e *Event) bool {
	switch {
	case e.Kind == Killed, e.Kind == Started:
		return true
	case e.Who != f.Who || f.Who == "":
		return false
	}
	return e.Kind == Ended || e.Name == f.Name && (e.Channel == "" || f.Channel == "" || e.Channel == f.Channel)
}
