package brokertest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// untilRefused publishes from several goroutines until that is refused; meanwhile is called
// when some is published. It returns what was acknowledged.
func (s *suite) untilRefused(meanwhile func()) (ps []*longwire.Publication) {
	s.Helper()
	const publishers = 4
	var wg sync.WaitGroup
	begun := make(chan struct{})
	var n atomic.Int32
	lists := make([][]outcome, publishers)
	for i := range publishers {
		wg.Go(func() {
			lists[i] = s.stream(200_000, func(j int) string {
				if n.Add(1) == publishers*underWay {
					close(begun)
				}
				return fmt.Sprintf("load.%d", (i+j)%11)
			})
		})
	}
	s.wait("publications", begun)
	meanwhile()
	wg.Wait()
	for _, list := range lists {
		refused := false
		for _, o := range list {
			code := wire.CodeOf(o.err)
			switch {
			case o.err == nil:
				ps = append(ps, o.p)
			case code != wire.CodeUnavailable && code != wire.CodeOutcomeUnknown:
				s.Errorf("publishing to a broker that ends: %v", o.err)
			}
			refused = refused || o.err != nil
		}
		if !refused {
			s.Error("a broker that has ended takes publications")
		}
	}
	return ps
}

// closes: whoever has published hears of it, following ends, nothing is taken any more. What was
// acknowledged is kept, if the broker keeps anything.
func (s *suite) closes() {
	s.open(longwire.Class{Count: 1 << 20})
	ear := s.follow(nil)
	ps := s.untilRefused(s.close)
	ear.wait("end of Follow after Close", ear.ended)
	if err := s.b.Close(s.Context()); err != nil {
		s.Errorf("Close again: %v", err)
	}
	if o := s.try(&longwire.Publication{Channel: "a"}); wire.CodeOf(o.err) != wire.CodeUnavailable {
		s.Errorf("publishing after Close: %+v, %v", o.p, o.err)
	}
	if err := s.b.Follow(s.Context(), func(f longwire.Feed) { s.Errorf("a closed broker tells %+v", f) }); err != nil {
		s.Errorf("Follow after Close: %v", err)
	}
	n := 0
	for p, err := range s.b.Read(s.Context(), &longwire.Range{Channels: []string{">"}}) {
		if n++; p != nil || err == nil {
			s.Errorf("a closed broker reads %+v, %v", p, err)
			break
		}
	}
	if n != 1 {
		s.Errorf("reading after Close told %d things, want an error", n)
	}
	if s.Reopen != nil {
		s.b, s.up = s.Reopen(s.T, s.b), true
		s.heard("who reads after it was opened again", s.all(">"), ps)
	}
}
