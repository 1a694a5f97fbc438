package torture

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// A Kind says what an event is.
type Kind uint8

// The kinds. Of publications, by who publishes:
const (
	Begun   Kind = iota // it may reach the server from now on
	Acked               // the server has it, at Position
	Unknown             // nobody will ever know
	Refused             // the server said that it did not take it
)

// Of subscriptions, by who reads:
const (
	Connecting Kind = iota + 4 // a link is opened; Position is the since
	Connected                  // the subscription stands at Position
	Received                   // a publication
	Gapped                     // the server says that publications are missing
	Ended                      // the link is gone; Note says why
	Left                       // who read wants no more
)

// Of the server, by the driver:
const (
	Kept   Kind = iota + 10 // the next publication of a channel's history, as it is in the end
	Killed                  // the server
	Started
)

var kindNames = [...]string{
	"begun", "acknowledged", "unknown", "refused",
	"connecting", "connected", "received", "gap", "ended", "left",
	"kept", "killed", "started",
}

// String returns the kind's name.
func (k Kind) String() string { return kindNames[k] }

// An ID names a publication: who published it, and the how manieth of his it was. Every publication has
// another payload, which has the ID in it.
type ID struct {
	Publisher uint16
	N         uint32
}

// String returns the ID as it stands in payloads.
func (id ID) String() string { return fmt.Sprintf("p%d/%d", id.Publisher, id.N) }

// An Event is one thing that somebody saw.
type Event struct {
	Kind     Kind
	Keyed    bool          // a publication with a key
	Link     int32         // the how manieth of the reader's
	Again    int32         // a link is opened from where the last so many that came may come again
	AsOf     int32         // a link is opened in place of the reader who saw the event before this one, from where he stood then
	At       time.Duration // since the beginning; for people only, the order of the events is what counts
	Who      string
	Name     string // what is subscribed to: a channel or pattern
	Channel  string
	ID       ID
	Position string
	Note     string
}

// String returns the event as a line.
func (e *Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%9.3fs  %-14s %-12s", e.At.Seconds(), e.Who, e.Kind)
	for _, s := range []struct{ name, value string }{
		{"", e.Name}, {"channel ", e.Channel}, {"at ", e.Position}, {"", e.Note},
	} {
		if s.value != "" {
			fmt.Fprintf(&b, " %s%s", s.name, s.value)
		}
	}
	if e.ID != (ID{}) {
		fmt.Fprintf(&b, " %s", e.ID)
	}
	if e.Again > 0 {
		fmt.Fprintf(&b, ", before the last %d at most", e.Again)
	}
	if e.Link > 0 {
		fmt.Fprintf(&b, " (link %d)", e.Link)
	}
	return b.String()
}

// MaxEvents bounds a history. At the bound it takes no more, and says so: what was not written down is not judged.
const MaxEvents = 4 << 20

// A History is what all have seen, in one order: what stands before was seen before. It may be written by any goroutine.
type History struct {
	began time.Time

	mu sync.Mutex
	// Guarded by mu.
	events []Event
	over   bool
}

// NewHistory begins a history.
func NewHistory() *History { return &History{began: time.Now()} }

// Record notes an event.
func (h *History) Record(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == MaxEvents {
		h.over = true
		return
	}
	e.At = time.Since(h.began)
	h.events = append(h.events, e)
}

// Events returns all events. Nothing may be recorded any more. whole is false if there were too many.
func (h *History) Events() (events []Event, whole bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events, !h.over
}

// all returns what was recorded so far.
func (h *History) all() []Event {
	events, _ := h.Events()
	return events
}
