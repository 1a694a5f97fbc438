package longwire

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
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
		{"few names", 20_000, 3, 3, 50},
		{"long names", 5_000, 2, 16, 500},
		{"many names", 20_000, 300, 2, 2_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			w := &indexWorld{rand: rand.New(rand.NewPCG(seed, 0)), lists: map[string]*list{}, tokens: tt.tokens, length: tt.length}
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
	x      index
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
	if old != nil && old != l || l.hub != &w.hubs[h] || l.topic.name != name || l.topic.pattern != strings.ContainsAny(name, "*>") {
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

// BenchmarkMatchPatterns looks up names that three patterns match, each time
// others, among few and many patterns of five shapes.
func BenchmarkMatchPatterns(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var x index
			h := new(hub)
			names := make([]string, n/5)
			for i := range names {
				for _, shape := range []string{"user.%d.*", "user.%d.>", "*.%d.x", "room.%d.>", "game.*.%d"} {
					x.join(fmt.Sprintf(shape, i), h)
				}
			}
			for i, k := range rand.Perm(len(names)) {
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
