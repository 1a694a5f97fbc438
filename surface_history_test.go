package longwire

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/wire"
)

func (s *surfaced) say(channel, contentType, body string) string {
	s.t.Helper()
	a := s.do("POST", "/channels/"+channel, body, "Content-Type", contentType)
	if a.status != 200 {
		s.t.Fatalf("%+v", a)
	}
	return decode[published](s.t, a.body).Position
}

func (s *surfaced) history(query string) historyAnswer {
	s.t.Helper()
	a := s.do("GET", "/channels/"+query, "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" {
		s.t.Fatalf("%s: %+v", query, a)
	}
	return decode[historyAnswer](s.t, a.body)
}

func (h historyAnswer) data() (list []string) {
	for _, p := range h.Publications {
		list = append(list, p.Channel+":"+string(p.Data))
	}
	return list
}

func TestHistory(t *testing.T) {
	s := serveSurface(t, nil)
	var at []string
	for i := range 6 {
		at = append(at, s.say([]string{"a.x", "a.y", "b"}[i%3], "application/json", fmt.Sprint(i)))
	}
	for _, tt := range []struct {
		query string
		want  []string
		last  string
	}{
		{"a.x/history", []string{"a.x:0", "a.x:3"}, at[5]},
		{"a.x/history?since=all", []string{"a.x:0", "a.x:3"}, at[5]},
		{"a.x/history?since=now", nil, at[5]},
		{"a.x/history?since=last:1", []string{"a.x:3"}, at[5]},
		{"a.x/history?since=1h", []string{"a.x:0", "a.x:3"}, at[5]},
		{"a.x/history?since=" + at[0], []string{"a.x:3"}, at[5]},
		{"a.x/history?since=" + at[2], []string{"a.x:3"}, at[5]},
		{"a.x/history?since=" + at[5], nil, at[5]},
		{"a.x/history?limit=1", []string{"a.x:0"}, at[0]},
		{"a.x/history?limit=100000000", []string{"a.x:0", "a.x:3"}, at[5]},
		{"a.*/history?limit=3", []string{"a.x:0", "a.y:1", "a.x:3"}, at[3]},
		{"%3E/history", []string{"a.x:0", "a.y:1", "b:2", "a.x:3", "a.y:4", "b:5"}, at[5]},
		{"nothing/history", nil, at[5]},
	} {
		h := s.history(tt.query)
		number := func(p string) uint64 { at, _ := parsePosition(p); return at.number }
		if !slices.Equal(h.data(), tt.want) || number(h.Position) != number(tt.last) || h.Gap || h.Channel == "" {
			t.Errorf("%s: %+v, want %v up to %s", tt.query, h, tt.want, tt.last)
		}
	}
	h := s.history("b/history")
	if p := h.Publications[1]; p.Position != at[5] || p.Type != "" || p.From != "" {
		t.Errorf("%+v", p)
	} else if d, err := time.Parse(time.RFC3339, p.Time); err != nil || time.Since(d) > time.Minute {
		t.Errorf("time %q", p.Time)
	}
}

// Whoever asks on from the position of each answer gets all, once.
func TestHistoryGoesOn(t *testing.T) {
	s := serveSurface(t, nil)
	for i := range 250 {
		s.say("a", "application/json", fmt.Sprint(i))
		s.say("other", "application/json", "0")
	}
	var all []string
	query, pages := "a/history", 0
	for ; ; pages++ {
		h := s.history(query)
		if len(h.Publications) == 0 {
			break
		}
		all = append(all, h.data()...)
		query = "a/history?since=" + h.Position
	}
	if len(all) != 250 || all[249] != "a:249" || pages != 3 {
		t.Errorf("%d in %d pages", len(all), pages)
	}
	if h := s.history("a/history?limit=9999"); len(h.Publications) != 250 {
		t.Errorf("%d publications", len(h.Publications))
	}
	for i := range 1001 {
		s.say("many", "application/json", fmt.Sprint(i))
	}
	h := s.history("many/history?limit=1001")
	if len(h.Publications) != 1000 {
		t.Errorf("%d publications in a page", len(h.Publications))
	}
	if h = s.history("many/history?limit=1001&since=" + h.Position); len(h.Publications) != 1 {
		t.Errorf("%d publications behind it", len(h.Publications))
	}
}

// An answer ends with what makes it large.
// untelling is a broker whose followers hear of nothing.
type untelling struct{ Broker }

func (b untelling) Follow(ctx context.Context, sink func(Feed)) error {
	return b.Broker.Follow(ctx, func(f Feed) {
		if f.begins() {
			sink(f)
		}
	})
}

// Who asks on goes on behind what it had, also where the node has not heard of that yet.
func TestHistoryIsAheadOfTheFeed(t *testing.T) {
	b := untelling{NewMemory(nil)}
	t.Cleanup(func() { b.Close(context.Background()) }) // after the node
	n := newNode(t, &Options{Broker: b})
	for range 3 {
		b.Publish(&Publication{Channel: "a"}, func(*Publication, error) {})
	}
	from := since{all: true}
	for _, want := range []int{2, 1, 0, 0} {
		page, err := n.history(t.Context(), "a", from, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.publications) != want || page.gap {
			t.Errorf("since %+v there are %d publications, gap %v; want %d", from, len(page.publications), page.gap, want)
		}
		if from, err = parseSince(string(page.position)); err != nil {
			t.Fatal(err)
		}
	}
	page, err := n.history(t.Context(), "a", since{told: true, at: position{epoch: n.epoch.Load(), number: 77}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := parsePosition(string(page.position)); !page.gap || at.number > 3 {
		t.Errorf("from the future the page ends at %s, gap %v", page.position, page.gap)
	}
}

func TestHistoryLarge(t *testing.T) {
	s := serveSurface(t, nil)
	for range 4 {
		s.say("a", "text/plain", strings.Repeat("x", 400<<10))
	}
	h := s.history("a/history")
	if len(h.Publications) != 3 {
		t.Fatalf("%d publications, want 3", len(h.Publications))
	}
	if h = s.history("a/history?since=" + h.Position); len(h.Publications) != 1 {
		t.Errorf("%d publications then, want 1", len(h.Publications))
	}
}

func TestHistoryGap(t *testing.T) {
	s := serveSurface(t, nil)
	s.say("a", "text/plain", "x")
	foreign := string(formatPosition(12345, 1, time.Now()))
	if h := s.history("a/history?since=" + foreign); !h.Gap || len(h.Publications) != 1 {
		t.Errorf("%+v, want a gap", h)
	}
	if a := s.do("GET", "/channels/a/history?raw&since="+foreign, ""); a.header.Get("Longwire-Gap") != "a" || a.body != "x" {
		t.Errorf("%+v, want a gap", a)
	}
}

func TestHistoryRaw(t *testing.T) {
	s := serveSurface(t, nil)
	var before string
	for _, tt := range []struct{ contentType, body, want, answer string }{
		{"application/json", `{"a" : 1}`, `{"a":1}`, "application/json"},
		{"text/html", "<script>", "<script>", "text/plain; charset=utf-8"},
		{"application/octet-stream", "\xff\x00", "\xff\x00", "application/octet-stream"},
		{"image/svg+xml", "<svg/>", "<svg/>", "image/svg+xml"},
	} {
		at := s.say("a", tt.contentType, tt.body)
		a := s.do("GET", "/channels/a/history?raw&since="+before, "")
		if a.status != 200 || a.body != tt.want || a.header.Get("Content-Type") != tt.answer || a.header.Get("Longwire-Position") != at ||
			!strings.Contains(a.header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %+v", tt.contentType, a)
		}
		before = at
	}
	if a := s.do("HEAD", "/channels/a/history?raw&since=last:1", ""); a.status != 200 || a.header.Get("Content-Length") != "6" {
		t.Errorf("HEAD: %+v", a)
	}
	if a := s.do("GET", "/channels/a/history?raw&since="+before, ""); a.status != 404 || a.code() != wire.CodeNotFound || a.header.Get("Longwire-Position") == "" {
		t.Errorf("behind the last: %+v", a)
	}
}

// plainBroker has what a Broker must have, and nothing more.
type plainBroker struct{ Broker }

type forgetful struct {
	plainBroker
	forgot []string
	err    error
}

func (f *forgetful) Forget(_ context.Context, channel string) error {
	f.forgot = append(f.forgot, channel)
	return f.err
}

func TestHistoryForget(t *testing.T) {
	b := newOddBroker(t)
	f := &forgetful{plainBroker: plainBroker{b}}
	s := serveSurface(t, &Options{Open: true, Broker: f})
	if a := s.do("DELETE", "/channels/a/history", ""); a.status != 204 || !slices.Equal(f.forgot, []string{"a"}) {
		t.Errorf("%+v, forgot %q", a, f.forgot)
	}
	f.err = errors.New("the disk is on fire")
	if a := s.do("DELETE", "/channels/a/history", ""); a.status != 500 || a.code() != wire.CodeInternal {
		t.Errorf("%+v", a)
	}
	s = serveSurface(t, &Options{Open: true, Broker: plainBroker{newOddBroker(t)}})
	if a := s.do("DELETE", "/channels/a/history", ""); a.status != 501 || a.code() != wire.CodeNeedsHistory {
		t.Errorf("%+v", a)
	}
}

// brokenReader is a broker whose history cannot be read.
type brokenReader struct{ Broker }

func (brokenReader) Read(context.Context, *Range) iter.Seq2[*Publication, error] {
	return func(yield func(*Publication, error) bool) {
		yield(nil, &wire.Error{Code: wire.CodeUnavailable})
	}
}

func TestHistoryFails(t *testing.T) {
	s := serveSurface(t, &Options{Open: true, Broker: brokenReader{newOddBroker(t)}})
	if a := s.do("GET", "/channels/a/history", ""); a.status != 503 || a.code() != wire.CodeUnavailable {
		t.Errorf("%+v", a)
	}
}
