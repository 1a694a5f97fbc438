package brokertest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/longwire/longwire"
)

// countsPartitions: a partition numbers its publications 1, 2, 3, …, whoever publishes them and
// wherever to.
func (s *suite) countsPartitions() {
	s.open(longwire.Class{})
	const publishers, n = 4, 100
	var wg sync.WaitGroup
	got := make([][]outcome, publishers)
	for i := range publishers {
		wg.Go(func() {
			got[i] = s.stream(n, func(j int) string { return fmt.Sprintf("c.%d", (i+j)%17) })
		})
	}
	wg.Wait()
	epoch := uint32(0)
	seen := make([]map[uint64]bool, s.partitions())
	for _, list := range got {
		for _, o := range list {
			if o.err != nil {
				s.Fatalf("publishing: %v", o.err)
			}
			i := s.partition(o.p.Channel)
			if o.p.Partition != i || o.p.Epoch == 0 || epoch != 0 && o.p.Epoch != epoch || o.p.Time.IsZero() {
				s.Errorf("to partition %d in epoch %d was published %+v", i, epoch, o.p)
			}
			epoch = o.p.Epoch
			if seen[i] == nil {
				seen[i] = map[uint64]bool{}
			}
			seen[i][o.p.Number] = true
		}
	}
	all := 0
	for i, m := range seen {
		for n := range uint64(len(m)) {
			if !m[n+1] {
				s.Errorf("partition %d has %d publications and no number %d", i, len(m), n+1)
			}
		}
		all += len(m)
	}
	if all != publishers*n {
		s.Errorf("%d publications have %d numbers", publishers*n, all)
	}
	if used := len(s.all(">")); used != all {
		s.Errorf("%d are read of %d", used, all)
	}
}

// keepsOrder: what one publishes to a channel is in order, whoever else publishes there.
func (s *suite) keepsOrder() {
	s.open(longwire.Class{Count: 5000})
	const publishers, n = 4, 300
	var wg sync.WaitGroup
	for i := range publishers {
		wg.Go(func() {
			for _, o := range s.stream(n, func(j int) string { return []string{"shared", fmt.Sprint("own.", i)}[j%2] }) {
				if o.err != nil {
					s.Errorf("publishing: %v", o.err)
				}
			}
		})
	}
	wg.Wait()
	for i := range publishers {
		ps := s.all(fmt.Sprint("own.", i))
		for j, p := range ps {
			if want := fmt.Sprintf("own.%d %d", i, 2*j+1); string(p.Data) != want {
				s.Fatalf("publication %d of own.%d is %q, want %q", j, i, p.Data, want)
			}
		}
		if len(ps) != n/2 {
			s.Errorf("own.%d has %d publications, want %d", i, len(ps), n/2)
		}
	}
	shared := s.all("shared")
	if len(shared) != publishers*n/2 {
		s.Errorf("shared has %d publications, want %d", len(shared), publishers*n/2)
	}
}

// donePublishes: done may publish, to the same channel and to others.
func (s *suite) donePublishes() {
	s.open(longwire.Class{})
	const chains, n = 8, 50
	over := make(chan struct{})
	var left atomic.Int32
	left.Store(chains)
	for i := range chains {
		told := 0
		var done func(*longwire.Publication, error)
		done = func(_ *longwire.Publication, err error) {
			if err != nil {
				s.Errorf("publishing: %v", err)
			}
			if told++; err == nil && told < n {
				s.b.Publish(&longwire.Publication{Channel: fmt.Sprintf("chain.%d", i*(told%2))}, done)
				return
			}
			if left.Add(-1) == 0 {
				close(over)
			}
		}
		s.b.Publish(&longwire.Publication{Channel: "chain.0"}, done)
	}
	s.wait("end of the chains", over)
	if got := len(s.all("chain.*")); got != chains*n {
		s.Errorf("%d are read, want %d", got, chains*n)
	}
}
