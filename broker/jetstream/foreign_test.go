package jetstream

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/longwire/longwire"
)

// TestForeign: what others publish to our subjects is passed over, by reads and by followers, and harms nobody.
func TestForeign(t *testing.T) {
	for _, most := range []int{1000, 3} { // of a channel
		t.Run(fmt.Sprint("of ", most), func(t *testing.T) {
			o := startOutside(t, nil).options()
			var log bytes.Buffer
			o.Partitions, o.Classes, o.Log = 1, []longwire.Class{{Name: "default", Count: most}}, slog.New(slog.NewTextHandler(&log, nil))
			b := open(t, &o)
			w := follow(t, b)
			nc, err := nats.Connect(o.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			foreign := func(channel string, data ...byte) {
				t.Helper()
				if _, err := nc.Request(o.prefix+".default.0."+channel, data, patience); err != nil {
					t.Fatal(err)
				}
			}
			first := say(t, b, "a", "1")
			foreign("a", []byte("by hand")...)
			for range 600 { // more than a page
				foreign("a")
			}
			foreign("b", codecVersion, 0xff)
			foreign("no/channel", []byte{codecVersion, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'x'}...)
			last := say(t, b, "a", "2")
			if last.Number != 605 {
				t.Errorf("the last is number %d", last.Number)
			}
			if got := w.hears(2); fmt.Sprint(got) != "[1:a=1 605:a=2]" {
				t.Errorf("heard %v", got)
			}
			gap, kept := "", "1:a=1 "
			if most == 3 { // there was no room for it
				gap, kept = "gap(%s,604) ", ""
			}
			for _, name := range []string{"a", ">"} {
				told := strings.ReplaceAll(gap, "%s", name)
				for _, tt := range []struct {
					r    longwire.Range
					want string
				}{
					{longwire.Range{}, kept + "605:a=2 "},
					{longwire.Range{Last: 1}, "605:a=2 "},
					{longwire.Range{From: first.Time}, kept + "605:a=2 "},
					{longwire.Range{Limit: 1, Epoch: first.Epoch, After: 1, Taken: first.Time}, told + "605:a=2 "},
					{longwire.Range{Epoch: first.Epoch, After: 300, Taken: last.Time}, told + "605:a=2 "},
					{*after(last), ""},
				} {
					tt.r.Channels = []string{name}
					if got := read(t, b, &tt.r); got != tt.want {
						t.Errorf("%+v: %q, want %q", tt.r, got, tt.want)
					}
				}
			}
			if got := read(t, b, &longwire.Range{Channels: []string{"b"}}); got != "" {
				t.Errorf("%q is read of a channel with nothing of ours", got)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := b.Close(ctx); err != nil {
				t.Error(err)
			}
			if n := strings.Count(log.String(), "somebody else publishes"); n != 1 || strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("the log tells it %d times: %s", n, &log)
			}
		})
	}
}
