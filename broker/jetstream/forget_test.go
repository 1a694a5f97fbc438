package jetstream

import (
	"testing"
	"time"

	"github.com/longwire/longwire"
)

// TestForgottenNotDeleted: what is forgotten is not read any more, by any node that has told it, even if whoever forgot it has
// not deleted it yet.
func TestForgottenNotDeleted(t *testing.T) {
	o := startOutside(t, nil).options()
	o.Partitions = 1
	a, b := twins(t, o)
	w := follow(t, b)
	first := say(t, a, "x", "1")
	say(t, a, "y", "2")
	last := say(t, a, "x", "3")
	w.hears(3)
	// This node ends before it deletes it.
	if err := a.replace(t.Context(), func(r *record) error { return r.forget("x", last.Number, time.Time{}) }); err != nil {
		t.Fatal(err)
	}
	w.until("word of it", func(fs []longwire.Feed) bool { return len(fs[len(fs)-1].Forgotten) > 0 })
	next := say(t, a, "x", "4")
	for _, tt := range []struct {
		r    longwire.Range
		want string
	}{
		{longwire.Range{Channels: []string{"x"}}, "4:x=4 "},
		{longwire.Range{Channels: []string{">"}}, "2:y=2 4:x=4 "},
		{longwire.Range{Channels: []string{"x"}, Last: 5}, "4:x=4 "},
		{longwire.Range{Channels: []string{"x"}, From: first.Time}, "4:x=4 "},
		{longwire.Range{Channels: []string{"x"}, Epoch: first.Epoch, After: 1, Taken: first.Time}, "gap(x,3) 4:x=4 "},
		{*after(next), ""},
	} {
		if got := read(t, b, &tt.r); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.r, got, tt.want)
		}
	}
}
