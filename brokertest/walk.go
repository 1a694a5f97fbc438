package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/longwire/longwire"
)

// A walk is what a read brought.
type walk struct {
	ps   []*longwire.Publication
	gaps []*longwire.GapError // told before the first publication
	late []*longwire.GapError // told in the midst
}

// String tells numbers, and a gap as channel!After.
func (w walk) String() string {
	var list []string
	for _, g := range slices.Concat(w.gaps, w.late) {
		list = append(list, fmt.Sprintf("%s!%d", g.Channel, g.After))
	}
	for _, p := range w.ps {
		list = append(list, fmt.Sprint(p.Number))
	}
	return strings.Join(list, " ")
}

// numbers returns the numbers of publications.
func numbers(ps []*longwire.Publication) (list []uint64) {
	for _, p := range ps {
		list = append(list, p.Number)
	}
	return list
}

// read reads a partition, to the end and without an error, and looks at what is true of
// every read.
func (s *suite) read(r longwire.Range) (w walk) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	r.Channels = slices.Clone(r.Channels)
	what := fmt.Sprintf("reading %v of partition %d after %d", r.Channels, r.Partition, r.After)
	last := uint64(0)
	for p, err := range s.b.Read(ctx, &r) {
		if g, ok := errors.AsType[*longwire.GapError](err); ok {
			s.addGap(&w, g, r.Channels, what)
			continue
		}
		switch {
		case err != nil:
			s.Fatalf("%s: %v", what, err)
		case p.Partition != r.Partition || !meant(r.Channels, p.Channel):
			s.Fatalf("%s: got number %d of partition %d, to %s", what, p.Number, p.Partition, p.Channel)
		case p.Number <= last:
			s.Fatalf("%s: number %d follows number %d", what, p.Number, last)
		}
		last = p.Number
		w.ps = append(w.ps, p)
	}
	return w
}

func (s *suite) addGap(w *walk, g *longwire.GapError, names []string, what string) {
	s.Helper()
	same := func(o *longwire.GapError) bool { return o.Channel == g.Channel }
	switch {
	case !slices.Contains(names, g.Channel):
		s.Errorf("%s: a gap in %s", what, g.Channel)
	case len(w.ps) > 0:
		w.late = append(w.late, g)
		return
	case slices.ContainsFunc(w.gaps, same):
		s.Errorf("%s: two gaps in %s", what, g.Channel)
	}
	w.gaps = append(w.gaps, g)
}

// all reads all that is kept of channels and patterns, of all partitions.
func (s *suite) all(channels ...string) (ps []*longwire.Publication) {
	s.Helper()
	for i := range s.partitions() {
		ps = append(ps, s.plain(longwire.Range{Partition: i, Channels: channels})...)
	}
	return ps
}

// plain reads what is to have no gap.
func (s *suite) plain(r longwire.Range) []*longwire.Publication {
	s.Helper()
	w := s.read(r)
	if n := len(w.gaps) + len(w.late); n > 0 {
		s.Errorf("reading %v of partition %d after %d of epoch %d has %d gaps, want none: %v", r.Channels, r.Partition, r.After, r.Epoch, n, w)
	}
	return w.ps
}

// after is the position behind a publication, for some who has just processed it.
func after(p *longwire.Publication, channels ...string) longwire.Range {
	return longwire.Range{Partition: p.Partition, Channels: channels, Epoch: p.Epoch, After: p.Number, Taken: p.Time}
}

// now is the same for somebody who stood there all the time.
func now(r longwire.Range) longwire.Range {
	r.Taken = time.Now()
	return r
}

// same complains if a is not what was published as b.
func (s *suite) same(what string, a, b *longwire.Publication) {
	s.Helper()
	tell := func(p *longwire.Publication) string {
		return fmt.Sprintf("%s %d/%d/%d: %s %q %d bytes from %q key %q headers %v at %d",
			p.Channel, p.Partition, p.Epoch, p.Number, p.Kind, p.ContentType, len(p.Data), p.From, p.Key, p.Headers, p.Time.UnixMilli())
	}
	if tell(a) != tell(b) || string(a.Data) != string(b.Data) {
		s.Errorf("%s is %s, %.40q; it was published as %s, %.40q", what, tell(a), a.Data, tell(b), b.Data)
	}
}

// sameAll complains if what was read is not what was published.
func (s *suite) sameAll(what string, got, want []*longwire.Publication) {
	s.Helper()
	if !slices.Equal(numbers(got), numbers(want)) {
		s.Errorf("%s: numbers %v, want %v", what, numbers(got), numbers(want))
		return
	}
	for i := range got {
		s.same(what, got[i], want[i])
	}
}
