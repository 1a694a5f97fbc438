package longwire

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/longwire/longwire/wire"
)

// TestMemoryLayouts looks at what broker options make.
func TestMemoryLayouts(t *testing.T) {
	class := func(name string, patterns ...string) Class { return Class{Name: name, Patterns: patterns} }
	for _, tt := range []struct {
		name string
		o    *MemoryOptions
		want int // partitions; zero: refused
	}{
		{"nil", nil, 1},
		{"one partition", &MemoryOptions{Partitions: 1}, 1},
		{"one class", &MemoryOptions{Classes: []Class{class("all")}}, 1},
		{"eight partitions", &MemoryOptions{Partitions: 8}, 8},
		{"a class beside the default", &MemoryOptions{Classes: []Class{class("news", "news.>")}}, 2},
		{"two classes of three", &MemoryOptions{Classes: []Class{class("news", "news.>"), class("rest")}, Partitions: 3}, 6},
		{"too many", &MemoryOptions{Partitions: MaxPartitions + 1}, 0},
		{"fewer than one", &MemoryOptions{Partitions: -1}, 0},
		{"no name", &MemoryOptions{Classes: []Class{class("")}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := NewMemory(tt.o)
			defer b.Close(t.Context())
			var got error
			b.Publish(&Publication{Channel: "a"}, func(_ *Publication, err error) { got = err })
			if tt.want == 0 {
				checkRefused(t, b, got)
				return
			}
			n := 1
			if p, ok := b.(Partitioned); ok {
				n = p.Partitions()
			} else if _, ok := b.(*memory); !ok {
				t.Errorf("one partition is a %T", b)
			}
			if n != tt.want || got != nil {
				t.Errorf("%d partitions, want %d; publishing said %v", n, tt.want, got)
			}
		})
	}
}

func checkRefused(t *testing.T, b Broker, published error) {
	t.Helper()
	read := error(nil)
	for _, err := range b.Read(t.Context(), &Range{Channels: []string{"a"}}) {
		read = err
	}
	followed := b.Follow(t.Context(), func(f Feed) { t.Errorf("heard %+v", f) })
	for _, err := range []error{published, read, followed, b.(Forgetter).Forget(t.Context(), "a")} {
		if wire.CodeOf(err) != wire.CodeBadRequest {
			t.Errorf("a broker that cannot be says %v", err)
		}
	}
}

// TestMemoryClasses has each class keep what it is to keep.
func TestMemoryClasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory(&MemoryOptions{Partitions: 2, Count: 7, Classes: []Class{
			{Name: "few", Patterns: []string{"few.*"}, Count: 1},
			{Name: "none", Patterns: []string{"none.*"}, Count: -1},
		}}).(*memParts)
		defer b.Close(t.Context())
		for _, c := range []string{"few.1", "none.1", "rest"} {
			for range 12 {
				b.Publish(&Publication{Channel: c}, func(*Publication, error) {})
			}
		}
		for c, want := range map[string][]uint64{"few.1": {11, 12}, "none.1": nil, "rest": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}} {
			var got []uint64
			for p, err := range b.Read(t.Context(), &Range{Partition: b.Partition(c), Channels: []string{c}}) {
				if err != nil || p.Partition != b.Partition(c) {
					t.Errorf("%s: %+v, %v", c, p, err)
				}
				got = append(got, p.Number)
			}
			if !slices.Equal(got, want) || b.Keeps(c) != (want != nil) {
				t.Errorf("%s: read %v, want %v; Keeps says %t", c, got, want, b.Keeps(c))
			}
		}
		for _, i := range []int{-1, b.Partitions()} {
			for p, err := range b.Read(t.Context(), &Range{Partition: i, Channels: []string{">"}}) {
				if p != nil || wire.CodeOf(err) != wire.CodeBadRequest {
					t.Errorf("partition %d: %+v, %v", i, p, err)
				}
			}
		}
	})
}

// TestMemoryGate has one partition tell much while another, whose follower blocks, has
// not begun: all begins are heard first, what was told meanwhile is bounded and nothing of it is
// lost.
func TestMemoryGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory(&MemoryOptions{Partitions: 2, Count: 1}).(*memParts)
		slow, fast := "c0", ""
		for i := 1; fast == ""; i++ {
			if c := fmt.Sprint("c", i); b.Partition(c) != b.Partition(slow) {
				fast = c
			}
		}
		hold := make(chan struct{})
		go b.Publish(&Publication{Channel: slow}, func(*Publication, error) { <-hold })
		synctest.Wait()

		var mu sync.Mutex
		var heard []Feed
		var following sync.WaitGroup
		following.Go(func() {
			b.Follow(context.Background(), func(f Feed) {
				mu.Lock()
				defer mu.Unlock()
				heard = append(heard, f)
			})
		})
		synctest.Wait()
		taken, refused := 0, 0
		for range maxMemWaiting + 9 {
			b.Publish(&Publication{Channel: fast}, func(_ *Publication, err error) {
				if err == nil {
					taken++
				} else if wire.CodeOf(err) == wire.CodeOverloaded {
					refused++
				}
			})
		}
		synctest.Wait()
		if len(heard) > 0 || taken != maxMemWaiting || refused != 9 {
			t.Errorf("before all have begun %d calls were heard, %d publications taken, %d refused", len(heard), taken, refused)
		}
		close(hold)
		synctest.Wait()
		b.Publish(&Publication{Channel: fast}, func(_ *Publication, err error) {
			if err != nil {
				t.Errorf("after that: %v", err)
			}
		})
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		following.Wait()

		last := map[int]uint64{}
		for i, f := range heard {
			if (i < 2) != (len(f.Publications) == 0) {
				t.Errorf("call %d is %+v", i, f)
			}
			for _, p := range f.Publications {
				if last[p.Partition]++; p.Number != last[p.Partition] {
					t.Errorf("number %d is told as number %d of partition %d", p.Number, last[p.Partition], p.Partition)
				}
			}
		}
		if got := last[b.Partition(fast)]; got != maxMemWaiting+1 {
			t.Errorf("%d were heard", got)
		}
	})
}
