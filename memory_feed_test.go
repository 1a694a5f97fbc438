package longwire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/wire"
)

// A memEar follows a broker and complains about holes.
type memEar struct {
	t     *testing.T
	begin uint64
	last  uint64
	n     int
	calls int
}

func (e *memEar) hear(f Feed) {
	e.calls++
	if e.calls == 1 {
		e.begin, e.last = f.Last, f.Last
		if len(f.Publications) > 0 || f.Partition != 0 || f.Epoch == 0 {
			e.t.Errorf("the first call is %+v", f)
		}
		return
	}
	for _, p := range f.Publications {
		if p.Number != e.last+1 {
			e.t.Errorf("number %d after %d", p.Number, e.last)
		}
		e.last = p.Number
		e.n++
	}
	if f.Last != e.last || len(f.Publications)+len(f.Forgotten) == 0 || len(f.Publications) > memTurn {
		e.t.Errorf("%d publications up to %d say that %d is the last", len(f.Publications), e.last, f.Last)
	}
}

// follow follows until the returned function is called.
func (m *memory) follow(sink func(Feed)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	began, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		first := sync.OnceFunc(func() { close(began) })
		m.Follow(ctx, func(f Feed) {
			sink(f)
			first()
		})
	}()
	<-began
	return func() {
		cancel()
		<-ended
	}
}

func TestMemoryFollow(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		memPut(t, m, "a b")
		e := &memEar{t: t}
		stop := m.follow(e.hear)
		memPut(t, m, "a b c")
		late := &memEar{t: t}
		stopLate := m.follow(late.hear)
		memPut(t, m, "a")
		stop()
		memPut(t, m, "a")
		stopLate()
		memPut(t, m, "a")
		if e.begin != 2 || e.n != 4 || late.begin != 5 || late.n != 2 {
			t.Errorf("the first heard %d after %d, the second %d after %d", e.n, e.begin, late.n, late.begin)
		}
		synctest.Wait()
		if len(m.feed.followers) > 0 {
			t.Error("somebody still follows")
		}
	})
}

// TestMemoryOrder looks at what hears of a publication when.
func TestMemoryOrder(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		var said []string
		note := func(s string) { said = append(said, s+"; history "+memHistory(t, m, &Range{Channels: []string{"*"}})) }
		stop := m.follow(func(f Feed) {
			for _, p := range f.Publications {
				note(fmt.Sprint("heard ", p.Channel))
			}
		})
		m.Publish(&Publication{Channel: "a"}, func(*Publication, error) {
			// Whoever publishes here is told later, in its turn.
			m.Publish(&Publication{Channel: "b"}, func(*Publication, error) { note("done b") })
			note("done a")
		})
		stop()
		want := []string{"heard a; history a1", "done a; history a1 b2", "heard b; history a1 b2", "done b; history a1 b2"}
		if !slices.Equal(said, want) {
			t.Errorf("it went %q, want %q", said, want)
		}
	})
}

// TestMemoryTellsOfForgetting forgets between publications, while somebody else tells
// the followers.
func TestMemoryTellsOfForgetting(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		var heard []string
		forgets := make(chan error, 2)
		stop := m.follow(func(f Feed) {
			for _, p := range f.Publications {
				heard = append(heard, p.Channel)
			}
			if len(f.Forgotten) > 0 {
				heard = append(heard, fmt.Sprint(f.Forgotten, f.Last))
			}
			switch f.Last {
			case 1: // what follows waits until this returns
				memLater(m, "a")
				for _, name := range []string{"a", "b"} {
					go func() { forgets <- m.Forget(context.Background(), name) }()
					synctest.Wait()
				}
				memLater(m, "a")
				if len(forgets) > 0 {
					t.Error("Forget did not wait until followers have heard")
				}
			}
		})
		memPut(t, m, "a")
		for range 2 {
			if err := <-forgets; err != nil {
				t.Error(err)
			}
		}
		stop()
		if got, want := fmt.Sprint(heard), "[a a [a b] 2 a]"; got != want {
			t.Errorf("heard %s, want %s", got, want)
		}
		if got := memHistory(t, m, &Range{Channels: []string{"a"}}); got != "a3" {
			t.Errorf("kept is %s", got)
		}
		if err := m.Forget(t.Context(), "a"); err != nil { // that nobody follows
			t.Error(err)
		}
	})
}

// memLater publishes without waiting for it.
func memLater(m *memory, channel string) {
	m.Publish(&Publication{Channel: channel}, func(*Publication, error) {})
}

// TestMemoryAtOnce has publishers, followers and readers that know nothing of each
// other.
func TestMemoryAtOnce(t *testing.T) {
	const publishers, each = 4, 3000
	m := NewMemory(&MemoryOptions{Count: 100}).(*memory)
	ear := &memEar{t: t}
	stop := m.follow(ear.hear)
	var work, others sync.WaitGroup
	over := make(chan struct{})
	others.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
			}
			short := &memEar{t: t}
			stop := m.follow(short.hear)
			r := &Range{Channels: []string{[]string{"*", "1", "*.x"}[i%3], "2"}, Epoch: m.epoch, After: short.begin}
			last := uint64(0)
			for p, err := range m.Read(t.Context(), r) {
				if _, ok := errors.AsType[*GapError](err); ok {
					continue
				}
				if err != nil || p.Number <= last {
					t.Errorf("number %d after %d, %v", p.Number, last, err)
					break
				}
				last = p.Number
			}
			stop()
		}
	})
	others.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				m.Forget(t.Context(), "3")
			}
		}
	})
	for i := range publishers {
		last, n := uint64(0), 0
		var mu sync.Mutex
		work.Go(func() {
			for range each {
				m.Publish(&Publication{Channel: fmt.Sprint(i)}, func(p *Publication, err error) {
					mu.Lock()
					defer mu.Unlock()
					if err != nil || p.Number <= last {
						t.Errorf("done %+v, %v after number %d", p, err, last)
						return
					}
					last = p.Number
					n++
				})
			}
		})
		defer func() {
			if n != each {
				t.Errorf("publisher %d was told %d outcomes of %d", i, n, each)
			}
		}()
	}
	work.Wait()
	close(over)
	others.Wait()
	stop()
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if ear.n != publishers*each {
		t.Errorf("%d heard, want %d", ear.n, publishers*each)
	}
}

// TestMemoryHandsOver has a publisher who finds that others publish all the time: it
// is kept for its turn only, and a goroutine goes on, for which Close waits.
func TestMemoryHandsOver(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		const all = 3 * memTurn
		told := 0
		hold := make(chan struct{})
		var done func(*Publication, error)
		done = func(*Publication, error) {
			if told++; told < all {
				m.Publish(&Publication{Channel: "a"}, done)
			}
			if told > 2*memTurn {
				<-hold
			}
		}
		ear := &memEar{t: t}
		stop := m.follow(ear.hear)
		m.Publish(&Publication{Channel: "a"}, done)
		synctest.Wait()
		if told != 2*memTurn+1 {
			t.Errorf("%d were told", told)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close returned %v while something was to be told", err)
		}
		close(hold)
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
		// One more was published before Close; the rest were refused.
		if told != all || ear.n != 2*memTurn+2 {
			t.Errorf("%d were told, %d heard", told, ear.n)
		}
	})
}

// TestMemoryOverloaded has a follower that blocks, which it must not.
func TestMemoryOverloaded(t *testing.T) {
	for _, tt := range []struct {
		name string
		data []byte
		want int
	}{
		{"number", nil, maxMemWaiting},
		{"bytes", make([]byte, 1<<20), maxMemBytes / (1 << 20)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			memTest(t, nil, func(t *testing.T, m *memory) {
				hold, held := make(chan struct{}), false
				stop := m.follow(func(f Feed) {
					if f.Publications != nil && !held {
						held = true
						<-hold
					}
				})
				go m.publish(&Publication{Channel: "a", Data: tt.data})
				synctest.Wait()
				taken, refused, last := 0, 0, uint64(0)
				for range tt.want + 9 {
					m.Publish(&Publication{Channel: "a", Data: tt.data}, func(p *Publication, err error) {
						switch {
						case err == nil:
							taken, last = taken+1, p.Number
						case wire.CodeOf(err) == wire.CodeOverloaded:
							refused++
						default:
							t.Error(err)
						}
					})
				}
				if taken+refused != 0 {
					t.Error("somebody was told out of order")
				}
				close(hold)
				stop()
				if taken+1 != tt.want || refused != 10 || last != uint64(tt.want) {
					t.Errorf("%d were taken, the last is number %d, and %d refused", taken, last, refused)
				}
				if p, err := m.publish(&Publication{Channel: "a"}); err != nil || p.Number != last+1 {
					t.Errorf("after that: %+v, %v", p, err)
				}
				synctest.Wait()
				if cap(m.feed.queue) > memBatch || cap(m.feed.batch) > memBatch {
					t.Errorf("a queue of %d and one of %d are kept", cap(m.feed.queue), cap(m.feed.batch))
				}
			})
		})
	}
}

// TestMemoryPanics has callbacks that panic where somebody recovers, as net/http does:
// nobody else hears less.
func TestMemoryPanics(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		recovered := 0
		try := func(f func()) {
			defer func() {
				if recover() != nil {
					recovered++
				}
			}()
			f()
		}
		bad := m.follow(func(f Feed) {
			if f.Last == 3 {
				panic("sink")
			}
		})
		ear := &memEar{t: t}
		stop := m.follow(ear.hear)
		memPut(t, m, "a")
		try(func() { m.Publish(&Publication{Channel: "a"}, func(*Publication, error) { panic("done") }) })
		synctest.Wait()
		try(func() { memPut(t, m, "a") })
		synctest.Wait()
		memPut(t, m, "a")
		bad()
		stop()
		if recovered != 2 || ear.n != 4 {
			t.Errorf("%d panics, %d heard", recovered, ear.n)
		}
	})
}
