package brokertest

import (
	"errors"
	"slices"

	"github.com/longwire/longwire"
)

// gapsByCount: a gap is told exactly where something is missing, or may be; of positions that
// never were too.
func (s *suite) gapsByCount() {
	s.open(longwire.Class{Count: 3})
	a, b, c := s.trio()
	y := s.story(3)
	y.tell(a, b, a, a, a, a, b, c, a, b, a)
	lists := [][]string{
		{a}, {b}, {c}, {"never"}, {"r.*"}, {"*.*"}, {">"}, {"never.>"}, {"other.>"},
		{a, b}, {b, c, "never"}, {a, "r.*"}, {"r.*", c, ">"},
		many(a, b, c),
	}
	look := func() {
		for _, names := range lists {
			for n := range y.end() + 1 {
				y.look(n, true, names...)
			}
			foreign := y.at(2, names...)
			foreign.Epoch ^= 1 << 20
			y.lookForeign(foreign)
			y.lookForeign(y.at(y.end()+1, names...))
			y.lookForeign(y.at(1<<40, names...))
		}
	}
	look()
	if s.Failed() {
		return
	}
	// The same with a channel that loses what is newer than all that others keep.
	y.tell(b, b, b, b, b, b, c)
	look()
}

// gapsAgain: a gap of a pattern says whether it tells of more than one before, also where what was lost since is older.
func (s *suite) gapsAgain() {
	s.open(longwire.Class{Count: 3})
	m := s.mates("r", 2)
	ps := s.put(slices.Concat(times(4, m[0]), times(10, m[1]))...)
	r := after(ps[0], "r.*")
	told := func() *longwire.GapError {
		w := s.read(r)
		if len(w.gaps) != 1 {
			s.Fatalf("after %d: %d gaps, want one", r.After, len(w.gaps))
		}
		return w.gaps[0]
	}
	one := told()
	if same := told(); *same != *one {
		s.Errorf("nothing more is lost, and the gap is %+v, it was %+v", same, one)
	}
	s.put(times(2, m[0])...)
	if more := told(); more.Lost <= one.Lost && more.Losses <= one.Losses {
		s.Errorf("more is lost, and the gap is %+v, it was %+v", more, one)
	}
}

// gapsByAge: what is too old is told of; who missed nothing hears of nothing.
func (s *suite) gapsByAge() {
	s.open(longwire.Class{Age: s.Age})
	a, b, c := s.trio()
	y := s.story(1000)
	y.tell(a, b, a)
	s.await("end of what is old", func() bool { return len(s.all(">")) == 0 })
	for _, p := range y.ps {
		y.gone[p.Number] = true
	}
	for n := range y.end() + 1 {
		for _, names := range [][]string{{a}, {b}, {c}, {"r.*"}, {">"}, {a, b, "r.>"}, many(a, b)} {
			y.look(n, false, names...)
		}
	}
	// Who stood at the end a moment ago has missed nothing, however long nothing has come.
	for _, names := range [][]string{{a}, {b}, {c}, {"r.*"}, {">"}, many(a, c)} {
		y.against(now(y.at(y.end(), names...)), func(string) verdict { return mustNot }, nil)
	}
}

// gapsByBytes: what had to make room is told of.
func (s *suite) gapsByBytes() {
	s.open(longwire.Class{Bytes: someBytes})
	names := s.mates("a", 2)
	y := s.story(1000)
	y.ps = s.fill(names[0], names[1])
	var kept []*longwire.Publication
	s.await("end of what is too much", func() bool {
		kept = s.all(names...)
		return len(kept)*pieceSize <= someBytes
	})
	for _, p := range y.ps {
		y.gone[p.Number] = p.Number < kept[0].Number
	}
	for _, list := range [][]string{{names[0]}, {names[1]}, {"a.*"}, {names[1], ">"}} {
		for _, n := range []uint64{0, 1, kept[0].Number / 2} {
			y.look(n, true, list...)
		}
		for _, n := range []uint64{kept[0].Number, kept[0].Number + 1, y.end() - 1, y.end()} {
			y.look(n, true, list...)
		}
	}
	for _, n := range []uint64{1, kept[0].Number, y.end()} {
		y.look(n, false, many(names...)...) // what never was may have been dropped
	}
}

// gapsForgotten: what was forgotten is told of, and nothing else is gone.
func (s *suite) gapsForgotten() {
	s.open(longwire.Class{})
	f, ok := s.b.(longwire.Forgetter)
	if !ok {
		s.Skip("the broker forgets nothing")
	}
	a, b, c := s.trio()
	y := s.story(1000)
	y.tell(a, b, a, b, a)
	for _, name := range []string{a, "never"} {
		if err := f.Forget(s.Context(), name); err != nil {
			s.Errorf("Forget: %v", err)
		}
	}
	for _, p := range pick(y.ps, 0, a) {
		y.gone[p.Number] = true
	}
	look := func() {
		for n := range y.end() + 1 {
			for _, names := range [][]string{{a}, {b}, {c}, {"r.*"}, {">"}, {a, b}, {a, ">"}, many(a, b)} {
				y.look(n, true, names...)
			}
		}
	}
	look()
	y.tell(b, a, c)
	look()
	if next := y.ps[len(y.ps)-1]; next.Number != 8 {
		s.Errorf("number %d is the eighth", next.Number)
	}
}

// gapsOnTheWay: what goes while it is read is told of before what follows.
func (s *suite) gapsOnTheWay() {
	const n = 3000
	s.open(longwire.Class{Count: n - 1})
	for _, names := range [][]string{{"a"}, {">"}, many("a")} {
		first := s.put(times(n, "a")...)[0]
		end := first.Number + n - 1
		r := longwire.Range{Partition: first.Partition, Channels: names}
		last, lost := first.Number-1, uint64(0)
		for p, err := range s.b.Read(s.Context(), &r) {
			if g, ok := errors.AsType[*longwire.GapError](err); ok {
				if names[0] == g.Channel {
					lost = max(lost, g.Lost, g.After)
				}
				continue
			}
			if err != nil {
				s.Fatal(err)
			}
			if p.Number <= last || p.Number > end || p.Number > last+1 && p.Number > lost+1 {
				s.Fatalf("%v: number %d follows number %d; the last gap was up to %d", names[0], p.Number, last, lost)
			}
			if last = p.Number; last == first.Number {
				s.put(times(3*n/4, "a")...) // so only the last quarter is kept
			}
		}
		if last != end && lost < end {
			s.Errorf("%s: the last read is %d, the last gap up to %d; want %d", names[0], last, lost, end)
		}
	}
}
