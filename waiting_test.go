package longwire

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// What waits is bounded for each policy, whatever comes, and all that does not wait was counted.
func TestWaitingIsBounded(t *testing.T) {
	b := NewMemory(&MemoryOptions{Classes: []Class{
		{Name: "a", Patterns: []string{"a.*"}, Count: -1},
		{Name: "b", Count: -1, Behind: KeepLatest},
	}})
	defer b.Close(t.Context())
	n := &Node{broker: b}
	s := &Session{node: n, line: &line{}}
	subs := []*sub{{session: s}, {session: s}}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		size := rnd.IntN(600)
		if i%100 == 99 {
			size = 3 * maxWaitingBytes
		}
		p := &Publication{Channel: fmt.Sprintf("%c.%d", "ab"[rnd.IntN(2)], rnd.IntN(100))}
		subs[rnd.IntN(2)].passedBy([]entry{{m: NewMessage(JSON, make([]byte, size)), e: &event{p: p}}})
		w := &s.more.waiting
		w.check(t)
		if dropped := w.dropped[subs[0]] + w.dropped[subs[1]]; dropped != n.dropped.Load() || int(dropped)+len(w.list) != i+1 {
			t.Fatalf("after %d: %d wait, %d were dropped, %d are counted", i+1, len(w.list), dropped, n.dropped.Load())
		}
	}
	w := &s.more.waiting
	w.forget(subs[0])
	w.check(t)
	for _, x := range w.list {
		if x.sub == subs[0] {
			t.Error("something waits for a subscription that has ended")
		}
	}
	if w.giveUp(); subs[0].flags != 0 || subs[1].flags != subMissed || len(w.list) > 0 || w.dropped != nil {
		t.Errorf("flags %d and %d; %d wait", subs[0].flags, subs[1].flags, len(w.list))
	}
}

// check holds it against its bounds.
func (w *waiting) check(t *testing.T) {
	t.Helper()
	var loads [policies]waitingLoad
	latest := map[string]bool{}
	for _, x := range w.list {
		loads[x.policy].add(x.cost)
		if k := fmt.Sprintf("%p %s", x.sub, x.e.p.Channel); x.policy == KeepLatest {
			if latest[k] {
				t.Fatalf("two of %s wait", x.e.p.Channel)
			}
			latest[k] = true
		}
	}
	if loads != w.loads {
		t.Fatalf("%v wait, %v are counted", loads, w.loads)
	}
	for p, l := range loads {
		if l.n > 64 || l.bytes > 16<<10 && l.n > 1 {
			t.Fatalf("by %v %d wait, of %d bytes", Policy(p), l.n, l.bytes)
		}
	}
}

// A run goes to a subscription in one piece if all of it is for it, as it is.
func TestWants(t *testing.T) {
	run := func(numbers ...int) (run []entry) { // negative: without a number of its own
		for _, n := range numbers {
			p := &Publication{Number: uint64(max(0, n))}
			run = append(run, entry{number: uint64(max(n, -n)), e: &event{p: p}})
		}
		return run
	}
	for _, tt := range []struct {
		after uint64
		run   []entry
		want  bool
	}{
		{4, run(5, 6), true},
		{5, run(5, 6), false},
		{5, run(-5, -5), true},
		{5, run(-5, 6), false},
		{6, run(-5, 6), false},
		{6, run(-5, -5), false}, // its position would take the peer back
		{4, run(-5, -5), true},
		{5, run(5, -5), false},
		{4, run(5, -5), true},
	} {
		if got := (&sub{after: tt.after}).wants(tt.run); got != tt.want {
			t.Errorf("after %d: %v is wanted: %t", tt.after, tt.run, got)
		}
	}
}

func TestPolicies(t *testing.T) {
	for p, want := range []string{"drop-oldest", "latest", "disconnect"} {
		var read Policy
		if err := read.UnmarshalText([]byte(want)); err != nil || read != Policy(p) || read.String() != want {
			t.Errorf("%s is read as %v, %v", want, read, err)
		}
	}
	if p := Policy(3); p.UnmarshalText([]byte("newest")) == nil || p.String() != "Policy(3)" {
		t.Errorf("newest is a policy, or %v", p)
	}
	l, err := NewLayout([]Class{{Name: "a", Patterns: []string{"a.*", "*.a"}, Count: -1, Behind: Disconnect}, {Name: "b", Patterns: []string{"b"}, Count: -1}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.x": "disconnect false", "x.a": "disconnect false", "b": "drop-oldest false", "c": "drop-oldest true", "a.*": "disconnect false", "c.*": "drop-oldest false", "c.d.e": "drop-oldest true", "c.*.e": "drop-oldest true"} {
		if got := fmt.Sprint(l.Behind(name), " ", l.Keeps(name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, err := NewLayout([]Class{{Name: "a", Behind: policies}}, 1); err == nil {
		t.Error("a policy that there is not is taken")
	}
}
