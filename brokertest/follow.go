package brokertest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/longwire/longwire"
)

// follows: a feed begins behind what was last in each partition, and goes on with what
// comes; there may be several, each with its own begin and end.
func (s *suite) follows() {
	s.open(longwire.Class{})
	names := make([]string, 40)
	for i := range names {
		names[i] = fmt.Sprint("c.", i)
	}
	none := s.follow(nil)
	before := s.put(names...)
	last := make([]uint64, s.partitions())
	for _, p := range before {
		last[p.Partition] = max(last[p.Partition], p.Number)
	}
	one := s.follow(nil)
	for i, f := range one.begins {
		if f.Last != last[i] || none.begins[i].Last != 0 || f.Epoch != before[0].Epoch || len(f.Earlier) > 0 {
			s.Errorf("partition %d begins with %+v, before it with %+v; want number %d of epoch %d", i, f, none.begins[i], last[i], before[0].Epoch)
		}
	}
	first := s.put(names...)
	two := s.follow(nil)
	s.heard("one", one.hears(len(first)), first)
	second := s.put(names[:7]...)
	s.heard("two", two.hears(len(second)), second)
	one.hears(len(first) + len(second))
	one.stop()
	third := s.put(names[7:]...)
	s.heard("two", two.hears(len(second)+len(third)), append(second, third...))
	two.stop()
	none.hears(len(before) + len(first) + len(second) + len(third))
	none.stop()
	if n := len(first) + len(second); one.n() != n {
		s.Errorf("who has left heard %d, want %d", one.n(), n)
	}
}

// heard complains if somebody has not heard what was published.
func (s *suite) heard(who string, got, want []*longwire.Publication) {
	s.Helper()
	by := func(ps []*longwire.Publication) map[string]*longwire.Publication {
		m := map[string]*longwire.Publication{}
		for _, p := range ps {
			m[fmt.Sprintf("number %d of partition %d", p.Number, p.Partition)] = p
		}
		return m
	}
	g := by(got)
	for which, p := range by(want) {
		if g[which] == nil {
			s.Errorf("%s has not heard of %s", who, which)
			continue
		}
		s.same("what "+who+" heard", g[which], p)
	}
}

// load publishes much from several goroutines, and returns when all is over what each
// has got for it.
func (s *suite) load(meanwhile func(over <-chan struct{})) (ps []*longwire.Publication) {
	s.Helper()
	const publishers, n = 4, 400
	over := make(chan struct{})
	var others, work sync.WaitGroup
	others.Go(func() { meanwhile(over) })
	lists := make([][]outcome, publishers)
	for i := range publishers {
		work.Go(func() {
			lists[i] = s.stream(n, func(j int) string { return fmt.Sprintf("load.%d", (i+1)*j%23) })
		})
	}
	work.Wait()
	close(over)
	others.Wait()
	for _, list := range lists {
		for _, o := range list {
			if o.err != nil {
				s.Fatalf("publishing: %v", o.err)
			}
			ps = append(ps, o.p)
		}
	}
	return ps
}

// followsUnderLoad: nobody has a hole, whoever comes and goes.
func (s *suite) followsUnderLoad() {
	s.open(longwire.Class{})
	all := []*ear{s.follow(nil), s.follow(nil), s.follow(nil)}
	ps := s.load(func(over <-chan struct{}) {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for more := true; more && !s.Failed(); {
					select {
					case <-over:
						more = false
					default:
					}
					s.follow(nil).stop()
				}
			})
		}
		wg.Wait()
	})
	for _, e := range all {
		s.heard("a follower", e.hears(len(ps)), ps)
		e.stop()
	}
}

// interrupted: a feed that was broken goes on where it was.
func (s *suite) interrupted() {
	s.open(longwire.Class{})
	var heard atomic.Int32
	often := make(chan struct{}, 1)
	one, two := s.follow(nil), s.follow(func(*longwire.Publication) {
		if heard.Add(1)%40 == 0 {
			select {
			case often <- struct{}{}:
			default: // it is being interrupted
			}
		}
	})
	ps := s.load(func(over <-chan struct{}) {
		for {
			select {
			case <-over:
				return
			case <-often:
				s.Interrupt(s.T, s.b)
			}
		}
	})
	s.heard("one", one.hears(len(ps)), ps)
	s.heard("two", two.hears(len(ps)), ps)
	// And with nothing under way.
	s.Interrupt(s.T, s.b)
	s.put("load.1", "load.2")
	one.hears(len(ps) + 2)
	two.hears(len(ps) + 2)
	one.stop()
	two.stop()
}

// followEnds: with its context, also if that was over before, and with the broker.
func (s *suite) followEnds() {
	s.open(longwire.Class{})
	ear := s.follow(nil)
	gone := s.follow(nil)
	gone.stop()
	s.put("a")
	ear.hears(1)
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.b.Follow(ctx, func(longwire.Feed) {}); err != nil {
			s.Errorf("Follow with a context that is over: %v", err)
		}
	}()
	s.wait("end of Follow with a context that is over", ended)
	s.close()
	ear.wait("end of Follow after Close", ear.ended)
	if gone.n() != 0 {
		s.Error("who has left hears more")
	}
}

// sinkPublishes: a sink may publish.
func (s *suite) sinkPublishes() {
	s.open(longwire.Class{})
	const n = 100
	var asked, told atomic.Int32
	ear := s.follow(func(*longwire.Publication) {
		if i := asked.Add(1); i < n {
			s.b.Publish(&longwire.Publication{Channel: fmt.Sprint("c.", i%5)}, func(_ *longwire.Publication, err error) {
				if err != nil {
					s.Errorf("publishing: %v", err)
				}
				told.Add(1)
			})
		}
	})
	s.put("c.0")
	ear.hears(n)
	s.await("outcome of all", func() bool { return told.Load() == n-1 })
	ear.stop()
}

// readableWhenTold: what a follower or a publisher hears of can be read.
func (s *suite) readableWhenTold() {
	s.open(longwire.Class{})
	const n = 200
	heard := make(chan *longwire.Publication, 3*n)
	ear := s.follow(func(p *longwire.Publication) { heard <- p })
	for i := range n {
		s.b.Publish(&longwire.Publication{Channel: fmt.Sprint("c.", i%7)}, func(p *longwire.Publication, err error) {
			if err != nil {
				s.Errorf("publishing: %v", err)
				return
			}
			heard <- p
		})
	}
	for range 2 * n {
		s.await("word of a publication", func() bool { return len(heard) > 0 })
		p := <-heard
		r := after(p, p.Channel)
		r.After, r.Limit = p.Number-1, 1
		s.sameAll("what was told", s.plain(now(r)), []*longwire.Publication{p})
	}
	ear.stop()
}
