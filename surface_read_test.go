package longwire

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/longwire/longwire/wire"
)

func TestReadingOf(t *testing.T) {
	at := func(n uint64) string { return string(formatPosition(7, n, time.Unix(1e9, 0))) }
	for _, tt := range []struct {
		name, target string
		header       []string
		names        []string
		since        string
		wait         bool
	}{
		{"one", "/channels/news", nil, []string{"news"}, "now", false},
		{"several", "/channels/a,b.*,c.%3E?since=all", nil, []string{"a", "b.*", "c.>"}, "all", false},
		{"a position", "/channels/a?since=" + at(3), nil, []string{"a"}, at(3), false},
		{"EventSource comes back", "/channels/a?since=all", []string{"Last-Event-Id", at(3), "Longwire-Position", at(2)}, []string{"a"}, at(3), false},
		{"the address over the header", "/channels/a?since=last:3", []string{"Longwire-Position", at(2)}, []string{"a"}, "last:3", false},
		{"a poll goes on", "/channels/a?wait=30s", []string{"Longwire-Position", at(2)}, []string{"a"}, at(2), true},
		{"nothing is nothing", "/channels/a?since=", []string{"Last-Event-Id", ""}, []string{"a"}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for i := 0; i < len(tt.header); i += 2 {
				h.Set(tt.header[i], tt.header[i+1])
			}
			rd, err := readingOf(tt.target, h)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := parseSince(tt.since)
			if !slices.Equal(rd.names, tt.names) || rd.since != want || rd.wait != tt.wait {
				t.Errorf("%+v, want %v since %+v, wait %t", rd, tt.names, want, tt.wait)
			}
		})
	}
}

func FuzzReadingOf(f *testing.F) {
	f.Add("/channels/news?since=all&wait=1s", "7-1-a")
	f.Add("/channels/a,b.*,c.%3E", "")
	f.Add("/channels/%zz?%", "now")
	f.Fuzz(func(t *testing.T, target, last string) {
		rd, err := readingOf(target, http.Header{"Last-Event-Id": {last}})
		switch {
		case err != nil:
			if wire.CodeOf(err).Status()/100 != 4 {
				t.Errorf("%q, %q: %v", target, last, err)
			}
		case len(rd.names) == 0 || len(rd.names) > maxNames:
			t.Errorf("%q names %q", target, rd.names)
		default:
			for _, name := range rd.names {
				if wire.CheckPattern(name) != nil {
					t.Errorf("%q names %q", target, name)
				}
			}
		}
	})
}

func FuzzMayConnect(f *testing.F) {
	f.Add("channel=a&channel=b.*&since=last:3")
	f.Add("channel=%zz;&since=")
	n := &Node{opts: Options{MaxSubscriptions: 3}}
	f.Fuzz(func(t *testing.T, query string) {
		if err := n.mayConnect(query); err != nil && wire.CodeOf(err).Status()/100 != 4 {
			t.Errorf("%q: %v", query, err)
		}
	})
}
