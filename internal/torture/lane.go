package torture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A laneKey names one subscription of one subscriber, over all its links.
type laneKey struct{ who, name string }

// A lane is what one subscription got. Where it begins is told by its first since that was not taken back by
// another: `all`, the publication behind which it was told to go on, or `now`, which is somewhere between the moment it was
// asked for and the moment it was answered.
type lane struct {
	laneKey
	c        *check
	asked    int // the event of the first Connecting by `now`, and one
	answered int // the event of the first Connected since the last one by `now`, and one
	all      bool
	after    ID   // it begins behind this one
	left     bool // nothing more is owed to it
	gaps     int  // that were told
	streams  map[string]*stream
	got      []receipt
}

// A receipt is a publication that a lane got, by its place.
type receipt struct {
	s     *stream
	place int
}

// A stream is what a lane got of one channel.
type stream struct {
	begun bool
	last  int // the place of the last one
	had   int // the place up to which all came before the lane went back, and nothing since; -1 otherwise
	gaps  int // of the lane, that were told before the last one
	links map[int]int32
}

func (c *check) lane(e *Event) *lane {
	k := laneKey{e.Who, e.Name}
	l := c.lanes[k]
	if l == nil {
		l = &lane{laneKey: k, c: c, streams: map[string]*stream{}}
		c.lanes[k] = l
	}
	return l
}

func (l *lane) stream(channel string) *stream {
	s := l.streams[channel]
	if s == nil {
		s = &stream{last: -1, had: -1, links: map[int]int32{}}
		l.streams[channel] = s
		if place, ok := l.c.place[l.after]; ok && l.after != (ID{}) {
			s.begun, s.last = true, place
		}
		if l.all && l.c.keeps(channel) == 0 {
			s.begun = true
		}
	}
	return s
}

func (l *lane) see(i int, e *Event) {
	switch e.Kind {
	case Connecting:
		l.goBack(int(e.Again))
		switch {
		case e.AsOf > 0: // begun already
		case e.Position == "all":
			l.all = true
		case e.ID != (ID{}):
			l.after = e.ID
		case e.Position == "now":
			l.asked, l.answered = cmp.Or(l.asked, i+1), 0
		}
	case Connected:
		l.answered = cmp.Or(l.answered, i+1)
	case Left:
		l.left = true
	case Gapped:
		l.gaps++
		if !l.mayLack(i) {
			l.fault(Fault{What: FalseGap, At: i, Detail: "what follows is kept, and yet a gap was told: " + e.Note})
		}
	case Received:
		l.receive(i, e)
	}
}

// goBack takes a lane back to before the last so many that it got. They may come again from anywhere among them on, for
// what lies between is had. Where the lane stands is told by its position, which is opaque: so many is the most.
func (l *lane) goBack(n int) {
	for _, r := range l.got[max(0, len(l.got)-n):] {
		if s := r.s; r.place <= s.last {
			s.had, s.last = max(s.had, s.last), r.place-1
		}
		delete(r.s.links, r.place)
	}
}

func (l *lane) fault(f Fault) {
	f.Who, f.Name = l.who, l.name
	l.c.fault(f)
}

func (l *lane) receive(i int, e *Event) {
	f := Fault{At: i, Channel: e.Channel, ID: e.ID}
	p := l.c.pubs[e.ID]
	place, kept := l.c.place[e.ID]
	switch {
	case p == nil || p.channel != e.Channel || e.Note != "":
		f.What, f.Detail = Phantom, cmp.Or(e.Note, "nobody published it here")
	case !matches(l.name, e.Channel):
		f.What, f.Detail = Phantom, "it was not subscribed to"
	case !kept && !p.mayBe():
		f.What, f.Detail = Phantom, "it was refused"
	case !kept:
		f.What, f.Detail = Vanished, "it was received and is not kept"
	default:
		l.follow(place, i, e)
		return
	}
	l.fault(f)
}

// follow judges a publication that is kept by its place.
func (l *lane) follow(place, i int, e *Event) {
	s := l.stream(e.Channel)
	f := Fault{At: i, Channel: e.Channel, ID: e.ID}
	link, twice := s.links[place]
	s.links[place] = e.Link
	switch {
	case twice && link == e.Link:
		f.What, f.Detail = TwiceOnLink, fmt.Sprintf("on link %d", link)
	case twice:
		f.What, f.Detail = TwiceAcross, fmt.Sprintf("on link %d, and before on link %d", e.Link, link)
	case s.begun && place <= s.last:
		f.What, f.Detail = OutOfOrder, "it came behind "+l.c.kept[e.Channel][s.last].String()
	case !s.begun && l.early(e.ID):
		f.What, f.Detail = Phantom, "it was acknowledged before the subscription was asked for, which begins now"
	case place > l.next(s, e.Channel) && place > s.had+1:
		if s.gaps < l.gaps && l.c.dropped(e.Channel, place-1, i) {
			break // as was told
		}
		n := max(l.next(s, e.Channel), s.had+1)
		f.What, f.ID, f.Detail = Lost, l.c.kept[e.Channel][n], l.missing(e.Channel, n, place)
	}
	s.begun, s.last, s.had, s.gaps = true, max(s.last, place), -1, l.gaps
	l.got = append(l.got, receipt{s, place})
	if f.What != "" {
		l.fault(f)
	}
}

// early reports whether a publication was acknowledged before `now` was asked for.
func (l *lane) early(id ID) bool {
	p := l.c.pubs[id]
	return l.asked > 0 && !l.all && p.acked > 0 && p.acked < l.asked
}

// next returns the place of the publication of a channel that is owed next.
func (l *lane) next(s *stream, channel string) int {
	if s.begun {
		return s.last + 1
	}
	return l.owed(channel)
}

// owed returns the place of the first publication of a channel that is owed to a lane that got none of it yet.
func (l *lane) owed(channel string) int {
	ids := l.c.kept[channel]
	switch {
	case l.all && l.c.keeps(channel) > 0:
		return max(0, len(ids)-1) // whatever else was dropped before it was asked for
	case l.all:
		return 0
	case l.answered == 0:
		return len(ids)
	}
	for i, id := range ids {
		if p := l.c.pubs[id]; p != nil && p.begun > l.answered {
			return i
		}
	}
	return len(ids)
}

func (l *lane) missing(channel string, from, to int) string {
	ids := l.c.kept[channel]
	if to == len(ids) {
		return fmt.Sprintf("it and all behind it, %d in all, never came", to-from)
	}
	return fmt.Sprintf("%d of %s that are before %s did not come before it", to-from, channel, ids[to])
}

// judgeEnds finds what never came.
func (c *check) judgeEnds() {
	byKey := func(a, b laneKey) int { return cmp.Or(cmp.Compare(a.who, b.who), cmp.Compare(a.name, b.name)) }
	for _, k := range slices.SortedFunc(maps.Keys(c.lanes), byKey) {
		l := c.lanes[k]
		for _, channel := range slices.Sorted(maps.Keys(c.kept)) {
			if l.left || !matches(l.name, channel) {
				continue
			}
			ids := c.kept[channel]
			s := l.stream(channel)
			next := max(l.next(s, channel), s.had+1)
			if next < len(ids) {
				l.fault(Fault{What: Lost, At: len(c.events) - 1, Channel: channel, ID: ids[next], Detail: l.missing(channel, next, len(ids))})
			}
		}
	}
}

func cut(name string) (token, rest string, more bool) { return strings.Cut(name, ".") }
