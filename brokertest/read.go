package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/longwire/longwire"
)

// pick returns those that are meant by names and have a higher number.
func pick(ps []*longwire.Publication, after uint64, names ...string) (list []*longwire.Publication) {
	for _, p := range ps {
		if p.Number > after && meant(names, p.Channel) {
			list = append(list, p)
		}
	}
	return list
}

// wants are names and patterns of channels a, b and c, of which a and b begin with r, and others.
func wants(a, b, c string) [][]string {
	return [][]string{
		{a}, {b}, {c}, {a, b}, {a, a, b, "never", a}, {"never"},
		{"r.*"}, {"*.*"}, {">"}, {"r.>"}, {"r"}, {"*"}, {"r.*.*"}, {"never.>"},
		{a, "r.*"}, {"r.*", ">", b}, {c, "r.>", "never"},
		many(a, c),
	}
}

// trio returns three channels of one partition; two begin with r.
func (s *suite) trio() (a, b, c string) {
	s.Helper()
	m := s.mates("r", 2)
	for i := range 10_000 {
		if c = fmt.Sprint("other.", i); s.partition(c) == s.partition(m[0]) {
			return m[0], m[1], c
		}
	}
	s.Fatalf("no other channel lives where %s does", m[0])
	return
}

// readsNames: by position, of one channel and of several, by pattern, with a limit. What matches
// several comes once.
func (s *suite) readsNames() {
	s.open(longwire.Class{})
	a, b, c := s.trio()
	if x, ok := s.stranger(a); ok {
		s.put(x, x, x)
	}
	ps := s.put(a, b, a, c, c, a, b, c, a)
	for _, names := range wants(a, b, c) {
		r := longwire.Range{Partition: s.partition(a), Channels: names}
		s.sameAll(fmt.Sprint(names), s.plain(r), pick(ps, 0, names...))
		r.Epoch, r.Taken = ps[0].Epoch, time.Now()
		for n := range uint64(len(ps) + 1) {
			r.After = n
			want := pick(ps, n, names...)
			s.sameAll(fmt.Sprintf("%v after %d", names, n), s.plain(r), want)
			r.Limit = 2
			s.sameAll(fmt.Sprintf("%v after %d, two of them", names, n), s.plain(r), want[:min(2, len(want))])
			r.Limit = 0
			for _, end := range []uint64{n + 1, n + 3, 1000} {
				r.UpTo = end
				s.sameAll(fmt.Sprintf("%v after %d up to %d", names, n, end), s.plain(r), slices.DeleteFunc(slices.Clone(want), func(p *longwire.Publication) bool { return p.Number > end }))
			}
			r.UpTo = 0
		}
		// Without an epoch a number is not a position, but a place to begin.
		r.Epoch, r.Taken = 0, time.Time{}
		for _, n := range []uint64{1, 5, 9, 1000} {
			r.After = n
			s.sameAll(fmt.Sprintf("%v above %d", names, n), s.plain(r), pick(ps, n, names...))
		}
	}
}

// readsLast: the last of each channel.
func (s *suite) readsLast() {
	s.open(longwire.Class{})
	a, b, c := s.trio()
	ps := s.put(a, b, a, c, c, a, b, c, a, a)
	for _, names := range wants(a, b, c) {
		for _, last := range []int{1, 2, 3, 100} {
			var want []*longwire.Publication
			n := map[string]int{}
			for _, p := range slices.Backward(pick(ps, 0, names...)) {
				if n[p.Channel]++; n[p.Channel] <= last {
					want = append(want, p)
				}
			}
			slices.Reverse(want)
			r := longwire.Range{Partition: s.partition(a), Channels: names, Last: last}
			s.sameAll(fmt.Sprintf("the last %d of %v", last, names), s.plain(r), want)
			r.Limit = 3
			s.sameAll(fmt.Sprintf("three of the last %d of %v", last, names), s.plain(r), want[:min(3, len(want))])
		}
	}
}

// readsFrom: those published at a time or later.
func (s *suite) readsFrom() {
	s.open(longwire.Class{})
	a, b, c := s.trio()
	begun := time.Now().Round(0).Truncate(time.Millisecond)
	var ps []*longwire.Publication
	for i, name := range []string{a, b, c, a, b, a} {
		ps = append(ps, s.publish(&longwire.Publication{Channel: name, Data: []byte(name), Time: begun.Add(time.Duration(i-10) * time.Second)}))
	}
	for _, names := range wants(a, b, c) {
		for i := range 8 {
			from := begun.Add(time.Duration(i-11) * time.Second)
			r := longwire.Range{Partition: s.partition(a), Channels: names, From: from}
			// That is when the one before the i-th was published.
			s.sameAll(fmt.Sprintf("%v from before the %d-th", names, i), s.plain(r), pick(ps[min(len(ps), max(0, i-1)):], 0, names...))
			r.From = from.Add(500 * time.Millisecond)
			s.sameAll(fmt.Sprintf("%v from shortly before the %d-th", names, i), s.plain(r), pick(ps[min(len(ps), i):], 0, names...))
		}
	}
}

// readEnds: a read ends with what was the last when it began.
func (s *suite) readEnds() {
	s.open(longwire.Class{Count: 5000})
	const n = 700
	ps := s.put(times(n, "a")...)
	for _, name := range []string{"a", ">"} {
		r := longwire.Range{Partition: s.partition("a"), Channels: []string{name}}
		got := 0
		for p, err := range s.b.Read(s.Context(), &r) {
			if err != nil {
				s.Fatal(err)
			}
			if got++; got == 1 {
				s.put(times(20, "a")...)
			}
			if last := ps[len(ps)-1].Number; p.Number > last {
				s.Fatalf("read number %d, the last was %d", p.Number, last)
			}
		}
		if got != len(ps) {
			s.Errorf("%d are read, want %d", got, len(ps))
		}
		ps = s.all("a")
	}
}

// readStops: a read ends when nobody wants more of it, and when its context ends.
func (s *suite) readStops() {
	s.open(longwire.Class{Count: 10_000})
	const n = 5000
	s.put(times(n, "a")...)
	for _, name := range []string{"a", ">"} {
		r := longwire.Range{Partition: s.partition("a"), Channels: []string{name}}
		for _, most := range []int{1, 300} {
			got := 0
			for _, err := range s.b.Read(s.Context(), &r) {
				if err != nil {
					s.Fatal(err)
				}
				if got++; got == most {
					break
				}
			}
		}
		for _, most := range []int{0, 1, 300} {
			if got, err := s.cancelled(&r, most); !errors.Is(err, context.Canceled) {
				s.Errorf("reading %s with a context that ended after %d of %d: %d were read, then %v", name, most, n, got, err)
			}
		}
	}
}

// cancelled reads with a context that ends after so many publications.
func (s *suite) cancelled(r *longwire.Range, most int) (got int, last error) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	if most == 0 {
		cancel()
	}
	for p, err := range s.b.Read(ctx, r) {
		if last != nil {
			s.Errorf("%+v, %v follow the error %v", p, err, last)
		}
		last = err
		if got++; got == most {
			cancel()
		}
	}
	return got, last
}
