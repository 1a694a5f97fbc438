package torture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Fault is a promise that was not kept.
type Fault struct {
	What    string // the kind of fault
	At      int    // the event that shows it; the last one if none does
	Who     string // the subscriber; empty for what the history itself shows
	Name    string
	Channel string
	ID      ID
	Detail  string
}

// The kinds of faults.
const (
	Lost        = "lost"
	TwiceOnLink = "twice on a link"
	TwiceAcross = "twice across links"
	OutOfOrder  = "out of order"
	FalseGap    = "false gap"
	Phantom     = "phantom"  // received or kept, and never published; or before what was asked for
	Vanished    = "vanished" // received, and not kept
	TwiceKept   = "published twice"
	TwiceAcked  = "acknowledged twice"
)

// String returns the fault as a line.
func (f *Fault) String() string {
	parts := []string{f.What}
	for _, part := range []string{f.Who, f.Name, f.Channel} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if f.ID != (ID{}) {
		parts = append(parts, f.ID.String())
	}
	return strings.Join(parts, ", ") + ": " + f.Detail
}

// Check judges a history. What counts as the order of a channel is what was kept of it, as it was written down while it was kept.
// Of a channel of which keeps says zero everything is kept, so nothing may be lost, and every gap is a false one. Otherwise it says how
// many publications are kept at least, and what has so many behind it may be lost, if a gap tells so before anything
// later comes.
//
// It holds that
//
//   - what was acknowledged is kept, once, as is what may have been published, at most once, and nothing that was refused;
//   - what was acknowledged before another publication was begun stands before it, as does what the same
//     publisher began before;
//   - a key has one place: where it was acknowledged at two positions, somebody has gone on from both;
//   - every subscription got, from where it began, all that is kept, in that order, each once, whatever links it had.
func Check(events []Event, keeps func(channel string) int) []Fault {
	c := &check{events: events, keeps: keeps, pubs: map[ID]*publication{}, kept: map[string][]ID{}, place: map[ID]int{}, lanes: map[laneKey]*lane{}}
	for i := range events {
		switch e := &events[i]; e.Kind {
		case Begun, Acked, Unknown, Refused:
			c.publication(i, e)
		case Kept:
			c.keep(i, e)
		}
	}
	c.judgeKept()
	c.judgeKeys()
	stands := c.standIns()
	for i := range events {
		switch e := &events[i]; e.Kind {
		case Connecting, Connected, Received, Gapped, Left:
			c.lane(e).see(i, e)
		}
		for _, e := range stands[i] {
			c.standIn(&events[i], e)
		}
	}
	c.judgeEnds()
	return c.faults
}

// check is one judgement.
type check struct {
	events []Event
	keeps  func(channel string) int
	pubs   map[ID]*publication
	kept   map[string][]ID
	place  map[ID]int // in what is kept of its channel
	lanes  map[laneKey]*lane
	faults []Fault
}

// A publication is what its publisher knows of it. Zero of an index is never.
type publication struct {
	channel  string
	keyed    bool
	begun    int // the event, and one
	acked    int // likewise, the first
	position string
	again    []int // the events of acknowledgements at another position
	unknown  bool
	refused  bool
}

func (p *publication) mayBe() bool { return p.acked > 0 || p.unknown || !p.refused }

func (c *check) fault(f Fault) { c.faults = append(c.faults, f) }

func (c *check) publication(i int, e *Event) {
	p := c.pubs[e.ID]
	if p == nil {
		p = &publication{channel: e.Channel, keyed: e.Keyed}
		c.pubs[e.ID] = p
	}
	switch e.Kind {
	case Begun:
		p.begun = cmp.Or(p.begun, i+1)
	case Unknown:
		p.unknown = true
	case Refused:
		p.refused = true
	case Acked:
		if p.acked > 0 && p.position != e.Position {
			p.again = append(p.again, i)
		}
		if p.acked == 0 {
			p.acked, p.position = i+1, e.Position
		}
	}
}

func (c *check) keep(i int, e *Event) {
	f := Fault{At: i, Channel: e.Channel, ID: e.ID}
	p := c.pubs[e.ID]
	_, twice := c.place[e.ID]
	switch {
	case p == nil || p.channel != e.Channel:
		f.What, f.Detail = Phantom, "it is kept, and nobody published it here"
	case !p.mayBe():
		f.What, f.Detail = Phantom, "it is kept, and was refused"
	case twice:
		f.What, f.Detail = TwiceKept, "it is kept a second time"
	}
	if f.What != "" {
		c.fault(f)
	}
	if !twice {
		c.place[e.ID] = len(c.kept[e.Channel])
	}
	c.kept[e.Channel] = append(c.kept[e.Channel], e.ID)
}

// judgeKept holds what is kept against what was published.
func (c *check) judgeKept() {
	for _, id := range slices.SortedFunc(maps.Keys(c.pubs), compareIDs) {
		p := c.pubs[id]
		if _, kept := c.place[id]; !kept && p.acked > 0 {
			c.fault(Fault{What: Lost, At: p.acked - 1, Channel: p.channel, ID: id, Detail: "it was acknowledged and is not kept"})
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(c.kept)) {
		c.judgeOrder(channel, c.kept[channel])
	}
}

// judgeKeys finds keys that may have two places. Positions are opaque: two that are not the same may mean the same. They do
// where a reader went on from each, because what he got is judged by the publication's own place.
func (c *check) judgeKeys() {
	shown := map[string]bool{}
	for i := range c.events {
		if e := &c.events[i]; e.Kind == Connecting && e.ID != (ID{}) {
			shown[e.ID.String()+" "+e.Position] = true
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(c.pubs), compareIDs) {
		p := c.pubs[id]
		for _, i := range p.again {
			if e := &c.events[i]; !shown[id.String()+" "+e.Position] || !shown[id.String()+" "+p.position] {
				c.fault(Fault{What: TwiceAcked, At: i, Channel: p.channel, ID: id, Detail: fmt.Sprintf("at %s, and before at %s", e.Position, p.position)})
			}
		}
	}
}

func compareIDs(a, b ID) int {
	return cmp.Or(cmp.Compare(a.Publisher, b.Publisher), cmp.Compare(a.N, b.N))
}

// judgeOrder finds what stands before something that has to be before it: what was acknowledged before it was begun, and
// what its publisher began before. From the end on, the one that was acknowledged first, and the first of each publisher, are all that
// has to be known of those behind.
func (c *check) judgeOrder(channel string, ids []ID) {
	first, by := 0, ID{}
	own := map[uint16]uint32{}
	for i := len(ids) - 1; i >= 0; i-- {
		id, detail := ids[i], ""
		p := c.pubs[id]
		if p == nil || c.place[id] != i {
			continue
		}
		if n, more := own[id.Publisher]; more && n < id.N {
			detail = fmt.Sprintf("it stands before %s, which was begun before it", ID{id.Publisher, n})
		}
		if first > 0 && first < p.begun {
			detail = fmt.Sprintf("it stands before %s, which was acknowledged before it was begun", by)
		}
		if detail != "" {
			c.fault(Fault{What: OutOfOrder, At: p.begun - 1, Channel: channel, ID: id, Detail: detail})
		}
		if own[id.Publisher] = id.N; p.acked > 0 && (first == 0 || p.acked < first) {
			first, by = p.acked, id
		}
	}
}

// matches reports whether a name, a channel or a pattern, takes a channel (docs/protocol.md, section 1.1).
func matches(name, channel string) bool {
	for {
		n, names, more := cut(name)
		c, channels, further := cut(channel)
		switch {
		case n == ">":
			return true
		case n != "*" && n != c:
			return false
		case !more || !further:
			return more == further
		}
		name, channel = names, channels
	}
}
