package brokertest

import (
	"fmt"
	"time"

	"github.com/longwire/longwire"
)

// boundsCount: of each channel Count and one more are kept.
func (s *suite) boundsCount() {
	s.open(longwire.Class{Count: 3})
	a, b, c := s.trio()
	ps := s.put(a, b, a, a, c, a, a, b, a, a)
	s.sameAll("the last four", s.all(a), pick(ps, 0, a)[3:])
	s.sameAll("two", s.all(b), pick(ps, 0, b))
	s.sameAll("one", s.all(c), pick(ps, 0, c))
}

// boundsAge: each is kept until it is of an age, and not for longer.
func (s *suite) boundsAge() {
	s.open(longwire.Class{Age: s.Age})
	begun := time.Now()
	old := s.put("a", "b")
	for _, p := range old {
		s.await(fmt.Sprintf("end of number %d of %s", p.Number, p.Channel), func() bool {
			kept := len(s.all(p.Channel)) > 0
			if took := time.Since(begun); !kept && took < s.Age {
				s.Errorf("something is gone after %v, want %v", took, s.Age)
			}
			return !kept
		})
	}
	// What is new is kept although there were older ones, and goes too.
	begun = time.Now()
	p := s.put("a")[0]
	if got := s.all("a"); time.Since(begun) < s.Age && (len(got) != 1 || got[0].Number != p.Number) {
		s.Errorf("numbers %v are kept, want %d", numbers(got), p.Number)
	}
	s.await("end of what came later", func() bool { return len(s.all("*")) == 0 })
	if next := s.put("a")[0]; next.Number != p.Number+1 || next.Epoch != p.Epoch {
		s.Errorf("number %d of epoch %d follows number %d of %d, although that is gone", next.Number, next.Epoch, p.Number, p.Epoch)
	}
}

const (
	someBytes = 128 << 10 // of a partition
	pieceSize = 4 << 10
)

// fill publishes four times as much as a partition keeps, to two channels of it.
func (s *suite) fill(a, b string) (ps []*longwire.Publication) {
	s.Helper()
	for i := range 4 * someBytes / pieceSize {
		ps = append(ps, s.publish(&longwire.Publication{Channel: []string{a, a, b}[i%3], Data: make([]byte, pieceSize)}))
	}
	return ps
}

// boundsBytes: each partition keeps so much; the oldest go first.
func (s *suite) boundsBytes() {
	s.open(longwire.Class{Bytes: someBytes})
	names := s.mates("a", 2)
	x, several := s.stranger(names[0])
	if several {
		s.put(x)
	}
	ps := s.fill(names[0], names[1])
	var got []*longwire.Publication
	s.await("end of what is too much", func() bool {
		got = s.all(names...)
		return len(got)*pieceSize <= someBytes
	})
	s.sameAll("the last", got, ps[len(ps)-len(got):])
	if len(got)*pieceSize < someBytes/4 {
		s.Errorf("only %d bytes are kept of %d", len(got)*pieceSize, someBytes)
	}
	if several && len(s.all(x)) != 1 {
		s.Error("what another partition keeps is gone")
	}
}

// boundsClasses: a channel has the history of its class, and classes do not share partitions.
func (s *suite) boundsClasses() {
	s.openAs(Options{Classes: []longwire.Class{
		{Name: "few", Patterns: []string{"few.>", "one"}, Count: 1},
		{Name: "default", Count: 4},
	}})
	for i := range 10 {
		few, rest := fmt.Sprint("few.", i), fmt.Sprint("rest.", i)
		if s.partition(few)/s.each != 0 || s.partition(rest)/s.each != 1 {
			s.Errorf("%s lives in partition %d, %s in %d of two classes of %d", few, s.partition(few), rest, s.partition(rest), s.each)
		}
	}
	ear := s.follow(nil)
	names := map[string]int{"few.1": 2, "few.a.b": 2, "one": 2, "few": 5, "rest": 5, "one.x": 5}
	for c, want := range names {
		ps := s.put(times(8, c)...)
		s.sameAll(c, s.all(c), ps[8-want:])
	}
	ear.hears(8 * len(names))
	ear.stop()
}
