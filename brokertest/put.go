package brokertest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire"
)

// An outcome is what done heard.
type outcome struct {
	p   *longwire.Publication
	err error
}

func (o outcome) heard() bool { return o.p != nil || o.err != nil }

// above reports whether o has a higher number, if both have one.
func (o outcome) above(before outcome) bool {
	return o.err != nil || before.err != nil || o.p.Number == 0 || o.p.Number > before.p.Number
}

// try publishes and waits for what done hears.
func (s *suite) try(p *longwire.Publication) outcome {
	s.Helper()
	heard := make(chan struct{})
	var o outcome
	s.b.Publish(p, func(p *longwire.Publication, err error) {
		o = outcome{p, err}
		close(heard) // panics if it is called twice
	})
	s.wait("outcome of Publish", heard)
	if (o.p == nil) == (o.err == nil) {
		s.Errorf("done heard %+v and %v, want one of them", o.p, o.err)
	}
	return o
}

// publish publishes what is to be taken.
func (s *suite) publish(p *longwire.Publication) *longwire.Publication {
	s.Helper()
	o := s.try(p)
	if o.err != nil {
		s.Fatalf("publishing: %v", o.err)
	}
	return o.p
}

// put publishes to channels, in this order, and returns what was published.
func (s *suite) put(channels ...string) (ps []*longwire.Publication) {
	s.Helper()
	for _, o := range s.stream(len(channels), func(i int) string { return channels[i] }) {
		if o.err != nil {
			s.Fatalf("publishing: %v", o.err)
		}
		ps = append(ps, o.p)
	}
	if s.Failed() {
		s.FailNow()
	}
	return ps
}

// times returns a channel n times.
func times(n int, channel string) (channels []string) {
	for range n {
		channels = append(channels, channel)
	}
	return channels
}

// underWay is how many publications a stream has under way at most.
const underWay = 64

// stream publishes n publications, many at once, from one goroutine, which may be any.
// It ends early at an error. Done is called once for each, for one channel in the
// order of the calls and of the numbers.
func (s *suite) stream(n int, channel func(i int) string) []outcome {
	list := make([]outcome, n)
	last := map[string]int{} // of each channel
	room := make(chan struct{}, underWay)
	var mu sync.Mutex // guards list while something is under way
	var failed atomic.Bool
	begun := 0
	for ; begun < n && !failed.Load(); begun++ {
		if !s.enter(room) {
			return nil
		}
		i, c := begun, channel(begun)
		before, follows := last[c]
		last[c] = i
		p := &longwire.Publication{Channel: c, Kind: longwire.Text, Data: fmt.Appendf(nil, "%s %d", c, i)}
		s.b.Publish(p, func(p *longwire.Publication, err error) {
			mu.Lock()
			defer mu.Unlock()
			o := outcome{p, err}
			switch {
			case list[i].heard():
				s.Errorf("done is called twice for publication %d, to %s", i, c)
				return
			case !o.heard():
				s.Errorf("done is called for publication %d, to %s, with nothing", i, c)
			case follows && !list[before].heard():
				s.Errorf("done is called for publication %d of %s before publication %d", i, c, before)
			case follows && !o.above(list[before]):
				s.Errorf("number %d of %s follows number %d", p.Number, c, list[before].p.Number)
			}
			list[i] = o
			if err != nil {
				failed.Store(true)
			}
			<-room
		})
	}
	for range underWay { // who has all the room knows that nothing is under way
		if !s.enter(room) {
			return nil
		}
	}
	return list[:begun]
}

// enter waits for room.
func (s *suite) enter(room chan struct{}) bool {
	select {
	case room <- struct{}{}:
		return true
	default:
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case room <- struct{}{}:
		return true
	case <-late.C:
		s.Errorf("done is not called within %v", patience)
		return false
	}
}
