package torture

import (
	"maps"
	"testing"
)

func TestStance(t *testing.T) {
	s := newStance([]string{"a", "b"}, "now")
	want := func(all, a, b string, behindA, behindB int) {
		t.Helper()
		each := map[string]string{"a": a, "b": b}
		if s.all != all || !maps.Equal(s.each, each) || s.behind["a"] != behindA || s.behind["b"] != behindB {
			t.Errorf("all stand at %s, each at %v, behind %v; want %s, %v, %d and %d", s.all, s.each, s.behind, all, each, behindA, behindB)
		}
	}
	want("now", "now", "now", 0, 0)
	s.stand("1")
	want("1", "1", "1", 0, 0)
	s.message("a", "2", false)
	s.message("a", "3", false)
	s.message("b", "4", false)
	want("1", "3", "4", 2, 1)
	s.gap("b", "5")
	want("1", "3", "5", 2, 1)
	s.gap("b", "") // a header names it, and says no more
	want("1", "3", "5", 2, 1)
	s.goBack()
	want("1", "1", "1", 2, 1)
	s.message("a", "2", false)
	want("1", "2", "1", 3, 1)
	s.message("a", "6", true)
	want("6", "6", "6", 0, 0)
	s.message("b", "", true) // without an id
	want("6", "6", "6", 0, 1)

	s = newStance([]string{"a"}, "all")
	s.message("a", "1", false)
	if s.all != "1" || s.behind["a"] != 0 {
		t.Errorf("the only one stands at %s, all at %s", s.each["a"], s.all)
	}
}
