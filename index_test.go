package longwire

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestIndexModel joins and leaves at random, and compares with asking each list
// for itself.
func TestIndexModel(t *testing.T) {
	for _, tt := range []struct {
		name   string
		steps  int
		tokens int // different ones
		length int // of names
		kept   int // lists, about
	}{
		{"few names", 5_000, 3, 3, 50},
		{"long names", 1_500, 2, 16, 200},
		{"many names", 5_000, 300, 2, 1_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			w := &indexWorld{x: new(index), rand: rand.New(rand.NewPCG(seed, 0)), lists: map[string]*list{}, tokens: tt.tokens, length: tt.length}
			for range tt.steps {
				if w.rand.IntN(2*tt.kept) >= len(w.order) {
					w.join(t)
				} else {
					w.leave()
				}
				w.check(t)
			}
			for len(w.order) > 0 {
				w.leave()
			}
			w.empty(t)
		})
	}
}

// An indexWorld is an index and what is in it.
type indexWorld struct {
	rand   *rand.Rand
	x      *index
	hubs   [3]hub
	lists  map[string]*list // by name and hub
	order  []string         // the keys
	tokens int
	length int
}

func (w *indexWorld) join(t *testing.T) {
	name, h := w.name(true), w.rand.IntN(len(w.hubs))
	key := fmt.Sprint(name, " ", h)
	l := w.x.join(name, &w.hubs[h])
	old := w.lists[key]
	if old != nil && old != l || l.hub != &w.hubs[h] || l.topic.name != name || l.topic.pattern() != strings.ContainsAny(name, "*>") {
		t.Fatalf("join %s: got %v, had %v", key, l, old)
	}
	if old == nil {
		w.lists[key] = l
		w.order = append(w.order, key)
	}
	w.x.add(l, 1)
}

func (w *indexWorld) leave() {
	i, last := w.rand.IntN(len(w.order)), len(w.order)-1
	key := w.order[i]
	w.order[i] = w.order[last]
	w.order = w.order[:last]
	w.x.leave(w.lists[key])
	delete(w.lists, key)
}

func (w *indexWorld) name(patterns bool) string {
	tokens := make([]string, 1+w.rand.IntN(w.length))
	for i := range tokens {
		tokens[i] = fmt.Sprint("t", w.rand.IntN(w.tokens))
		if patterns && w.rand.IntN(3) == 0 {
			tokens[i] = "*"
		}
	}
	if patterns && w.rand.IntN(4) == 0 {
		tokens[len(tokens)-1] = ">"
	}
	return strings.Join(tokens, ".")
}

func (w *indexWorld) check(t *testing.T) {
	channel := w.name(false)
	want := map[*list]bool{}
	count := 0
	for _, l := range w.lists {
		if matches(l.topic.name, channel) {
			want[l] = true
			count += int(l.count.Load())
		}
	}
	lists := w.x.match(channel, nil)
	got := map[*list]bool{}
	for _, l := range lists {
		got[l] = true
	}
	if len(lists) != len(got) || !maps.Equal(got, want) {
		t.Fatalf("match %s: got %v, want %v", channel, names(slices.Values(lists)), names(maps.Keys(want)))
	}
	if n := w.x.count(channel); n != count {
		t.Fatalf("count %s: got %d, want %d", channel, n, count)
	}
}

func names(lists func(func(*list) bool)) (s []string) {
	for l := range lists {
		s = append(s, l.topic.name)
	}
	slices.Sort(s)
	return s
}

func (w *indexWorld) empty(t *testing.T) {
	for i := range w.x.shards {
		if s := &w.x.shards[i]; s.n != 0 || s.table.Load() != nil {
			t.Errorf("%d topics are left", s.n)
		}
	}
	if !w.x.shapes.empty() {
		t.Error("shapes are left")
	}
}

// TestIndexAtOnce matches while others join and leave: who is there all the time is
// found every time and once, who joined is found at once, and who left is not.
func TestIndexAtOnce(t *testing.T) {
	var x index
	var stay []*list
	still := new(hub)
	for _, name := range []string{"t0.t1", "t0.*", "*.t1", ">", "t0.>", "*.*"} {
		stay = append(stay, x.join(name, still))
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			w := &indexWorld{rand: rand.New(rand.NewPCG(seed, uint64(i))), tokens: 2, length: 2}
			joinAndLeave(t, &x, w, 3_000)
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 10_000 {
				lists := x.match("t0.t1", nil)
				for _, l := range stay {
					if n := occurs(lists, l); n != 1 {
						t.Errorf("%s found %d times", l.topic.name, n)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	for _, l := range stay {
		x.leave(l)
	}
	(&indexWorld{x: &x}).empty(t)
}

// joinAndLeave is one loop. Its channels are its own and everybody's.
func joinAndLeave(t *testing.T, x *index, w *indexWorld, steps int) {
	h := new(hub)
	var lists []*list
	for range steps {
		name := w.name(true)
		l := x.join(name, h)
		if occurs(lists, l) == 0 {
			lists = append(lists, l)
		}
		channel := strings.NewReplacer("*", "t1", ">", "t0").Replace(name)
		if n := occurs(x.match(channel, nil), l); n != 1 {
			t.Errorf("join %s: found %d times", name, n)
		}
		if len(lists) > w.rand.IntN(8) {
			l, lists = lists[0], lists[1:]
			x.leave(l)
			if occurs(x.match(channel, nil), l) > 0 {
				t.Errorf("leave %s: found", l.topic.name)
			}
		}
	}
	for _, l := range lists {
		x.leave(l)
	}
}

func occurs(lists []*list, l *list) (n int) {
	for _, m := range lists {
		if m == l {
			n++
		}
	}
	return n
}

// TestIndexMemory is for 19,000 sessions with a channel each: what the index takes,
// and that it gives it back.
func TestIndexMemory(t *testing.T) {
	const n, most = 19_000, 120
	var x index
	h := new(hub)
	lists := make([]*list, n)
	before := heap()
	for i := range lists {
		lists[i] = x.join(fmt.Sprintf("user.%d", i), h)
		lists[i].subs = append(lists[i].subs, nil)
	}
	each := (heap() - before) / n
	t.Logf("%d bytes a channel", each)
	if each > most {
		t.Errorf("got %d bytes a channel, want at most %d", each, most)
	}
	for i, l := range lists {
		if i%20 > 0 {
			x.leave(l)
			lists[i] = nil
		}
	}
	if left := heap() - before; left > n/20*3*most {
		t.Errorf("%d bytes are left with a 20th of the channels", left)
	}
	for _, l := range lists {
		if l != nil {
			x.leave(l)
		}
	}
	(&indexWorld{x: &x}).empty(t)
	runtime.KeepAlive(lists)
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // sweeps what the first one left
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestMatchAllocatesNothing(t *testing.T) {
	var x index
	h := new(hub)
	for _, name := range []string{"user.1.x", "user.*.x", "user.1.>", "*.1.x"} {
		x.join(name, h)
	}
	lists := make([]*list, 0, 4)
	if n := testing.AllocsPerRun(100, func() {
		lists = x.match("user.1.x", lists[:0])
		x.count("user.1.x")
	}); n > 0 || len(lists) != 4 {
		t.Errorf("%v allocations, %d lists", n, len(lists))
	}
}

// BenchmarkMatchPatterns looks up names that three patterns match, among few and
// many patterns of five shapes: the same names again and again, and each time another,
// whose patterns are in no cache.
func BenchmarkMatchPatterns(b *testing.B) {
	for _, tt := range []struct{ patterns, names int }{
		{100, 20}, {10_000, 20}, {10_000, 2_000}, {100_000, 20}, {100_000, 20_000},
	} {
		b.Run(fmt.Sprintf("%d/%d", tt.patterns, tt.names), func(b *testing.B) {
			var x index
			h := new(hub)
			users := tt.patterns / 5
			for i := range users {
				for _, shape := range []string{"user.%d.*", "user.%d.>", "*.%d.x", "room.%d.>", "game.*.%d"} {
					x.join(fmt.Sprintf(shape, i), h)
				}
			}
			names := make([]string, tt.names)
			for i, k := range rand.Perm(users)[:tt.names] {
				names[i] = fmt.Sprintf("user.%d.x", k)
			}
			lists := make([]*list, 0, 8)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if lists = x.match(names[i], lists[:0]); len(lists) != 3 {
					b.Fatal(len(lists))
				}
				if i++; i == len(names) {
					i = 0
				}
			}
		})
	}
}

// BenchmarkMatch looks up names, each time others, of many channels.
func BenchmarkMatch(b *testing.B) {
	var x index
	h := new(hub)
	names := make([]string, 19_000)
	for i, k := range rand.Perm(len(names)) {
		names[i] = fmt.Sprintf("user.%d", k)
		x.join(names[i], h)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		lists := make([]*list, 0, 8)
		for i := rand.IntN(len(names)); pb.Next(); i = (i + 1) % len(names) {
			lists = x.match(names[i], lists[:0])
		}
	})
}

// BenchmarkMatchNone looks up a long name among patterns of as many shapes, none of
// which matches.
func BenchmarkMatchNone(b *testing.B) {
	var x index
	h := new(hub)
	w := &indexWorld{rand: rand.New(rand.NewPCG(1, 2)), tokens: 1_000_000, length: 15}
	for range 20_000 {
		x.join("none."+strings.TrimSuffix(w.name(true), ".>"), h)
	}
	name := strings.Repeat("some.", 15) + "some"
	b.ReportAllocs()
	for b.Loop() {
		x.match(name, nil)
	}
}
