package brokertest

import (
	"fmt"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A story is what happened in a partition, from its first publication on, and what is kept of it:
// so it knows what a read from any position has to tell.
type story struct {
	s     *suite
	count int // of the class
	begun time.Time
	ps    []*longwire.Publication // all of the partition
	gone  map[uint64]bool
}

// A verdict says whether a gap is told.
type verdict int

const (
	mustNot verdict = iota
	may             // nothing is missing, but the position is too old to know
	must
)

// tell publishes to channels of the partition.
func (y *story) tell(channels ...string) {
	y.s.Helper()
	y.ps = append(y.ps, y.s.put(channels...)...)
	follow := map[string]int{}
	for i := len(y.ps) - 1; i >= 0; i-- {
		p := y.ps[i]
		if follow[p.Channel]++; follow[p.Channel] > y.count+1 {
			y.gone[p.Number] = true
		}
	}
}

func (s *suite) story(count int) *story {
	return &story{s: s, count: count, begun: time.Now(), gone: map[uint64]bool{}}
}

func (y *story) end() uint64 { return y.ps[len(y.ps)-1].Number }

// kept returns what is kept of names, above a number.
func (y *story) kept(after uint64, names ...string) (list []*longwire.Publication) {
	for _, p := range pick(y.ps, after, names...) {
		if !y.gone[p.Number] {
			list = append(list, p)
		}
	}
	return list
}

// judge says what is to be told of a name or pattern behind a position in the epoch. A position
// is within history while the publication there is kept, or while it is young and fewer than
// Count follow. Where it is not, but nothing is missing either, both are good.
func (y *story) judge(after uint64, young bool, name string) verdict {
	worst := mustNot
	follow, own := map[string]int{}, map[string]bool{}
	for _, p := range pick(y.ps, 0, name) {
		switch {
		case p.Number > after && y.gone[p.Number]:
			return must
		case p.Number > after:
			follow[p.Channel]++
		case p.Number == after:
			own[p.Channel] = !y.gone[p.Number]
		default:
			follow[p.Channel] += 0
		}
	}
	for c, n := range follow {
		if !own[c] && (!young || n >= y.count) {
			worst = may
		}
	}
	if len(follow) == 0 && !young {
		worst = may
	}
	return worst
}

// look reads names behind a position and holds what comes against the story.
func (y *story) look(after uint64, young bool, names ...string) {
	y.s.Helper()
	y.against(y.at(after, names...), func(name string) verdict { return y.judge(after, young, name) }, y.kept(after, names...))
}

// at is a position in the partition, as somebody has it who was there then.
func (y *story) at(after uint64, names ...string) longwire.Range {
	r := longwire.Range{Partition: y.ps[0].Partition, Channels: names, Epoch: y.ps[0].Epoch, After: after, Taken: y.begun}
	for _, p := range y.ps {
		if p.Number <= after {
			r.Taken = p.Time
		}
	}
	return r
}

// lookForeign reads behind a position that never was: everything is told of a gap, and all that is kept.
func (y *story) lookForeign(r longwire.Range) {
	y.s.Helper()
	y.against(r, func(string) verdict { return must }, y.kept(0, r.Channels...))
}

func (y *story) against(r longwire.Range, judge func(name string) verdict, want []*longwire.Publication) {
	s := y.s
	s.Helper()
	what := fmt.Sprintf("%v after %d of epoch %d", r.Channels, r.After, r.Epoch)
	w := s.read(r)
	s.sameAll(what, w.ps, want)
	told := map[string]*longwire.GapError{}
	for _, g := range w.gaps {
		told[g.Channel] = g
	}
	for _, name := range r.Channels {
		g := told[name]
		switch v := judge(name); {
		case g == nil && v == must:
			s.Errorf("%s: no gap in %s; numbers %v are kept, gone are %v", what, name, numbers(y.kept(0, name)), y.gone)
		case g != nil && v == mustNot:
			s.Errorf("%s: a gap in %s; numbers %v are kept, gone are %v", what, name, numbers(y.kept(0, name)), y.gone)
		case g != nil:
			y.checkGap(what, r, g, pick(want, 0, name))
		}
	}
	for _, g := range s.read(r).gaps {
		if o := told[g.Channel]; o == nil || *o != *g {
			s.Errorf("%s: read again the gap is %+v, it was %+v", what, g, o)
		}
	}
	r.UpTo = r.After + 1
	part := s.read(r).gaps
	for _, g := range part {
		if o := told[g.Channel]; o == nil || o.Lost != g.Lost || o.After != g.After && !wire.IsPattern(g.Channel) {
			s.Errorf("%s: of a part the gap is %+v, it was %+v", what, g, o)
		}
	}
	if len(part) != len(told) {
		s.Errorf("%s: of a part %d gaps are told, not %d", what, len(part), len(told))
	}
}

// checkGap looks at what a gap says: where to stand after it, and what is lost.
func (y *story) checkGap(what string, r longwire.Range, g *longwire.GapError, follows []*longwire.Publication) {
	s := y.s
	s.Helper()
	if len(follows) > 0 && g.After >= follows[0].Number {
		s.Errorf("%s: the gap in %s is up to %d, but number %d follows", what, g.Channel, g.After, follows[0].Number)
	}
	if g.Lost > y.end() {
		s.Errorf("%s: %s lost number %d, the last is %d", what, g.Channel, g.Lost, y.end())
	}
	// Whoever goes on there gets what follows, and hears of nothing new.
	r.Channels, r.Epoch, r.After = []string{g.Channel}, y.ps[len(y.ps)-1].Epoch, g.After
	again := s.read(now(r))
	s.sameAll(what+", from where the gap says", again.ps, follows)
	for _, g2 := range again.gaps {
		if g2.Lost > g.Lost {
			s.Errorf("%s: from where the gap says there is another: %+v after %+v", what, g2, g)
		}
		if g2.After < g.After {
			s.Errorf("%s: the gap from where the gap says leads back: %+v after %+v", what, g2, g)
		}
	}
	// Of a channel nothing after it is missing.
	for _, p := range pick(y.ps, g.After, g.Channel) {
		if y.gone[p.Number] && !wire.IsPattern(g.Channel) {
			s.Errorf("%s: the gap in %s is up to %d, but number %d is gone too", what, g.Channel, g.After, p.Number)
		}
	}
}
