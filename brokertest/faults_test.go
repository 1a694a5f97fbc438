package brokertest_test

import (
	"cmp"
	"errors"
	"iter"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/brokertest"
	"github.com/longwire/longwire/wire"
)

// faults are what is wrong with a lasting broker.
type faults struct {
	options func(*longwire.MemoryOptions)
	publish func(p *longwire.Publication, done outcome) outcome
	read    func(b *lasting, r *longwire.Range, seq walk) walk
	feed    func(*longwire.Feed)
	missed  func(after uint64) uint64
	crashed func(*epoch)
	forgets bool  // that it was closed
	closed  error // what a closed one says
}

type (
	outcome = func(*longwire.Publication, error)
	walk    = iter.Seq2[*longwire.Publication, error]
)

// known are faults, each with the behaviour that has to find it.
var known = map[string]struct {
	behaviour string
	faults
}{
	"outcomes out of order": {"order", faults{publish: swapped()}},
	"an outcome never comes": {"done publishes", faults{publish: func(p *longwire.Publication, done outcome) outcome {
		return func(q *longwire.Publication, err error) {
			if q == nil || q.Number != 3 {
				done(q, err)
			}
		}
	}}},
	"another epoch for each":    {"numbers", told(func(p *longwire.Publication) { p.Epoch += uint32(p.Number % 2) })},
	"keys mean nothing":         {"keys", faults{options: func(o *longwire.MemoryOptions) { o.KeyWindow = -1 }}},
	"keys mean nothing at once": {"keys at once", faults{options: func(o *longwire.MemoryOptions) { o.KeyWindow = -1 }}},
	"other data with a key is taken for the same": {"keys", faults{publish: func(p *longwire.Publication, done outcome) outcome {
		return func(q *longwire.Publication, err error) {
			if wire.CodeOf(err) == wire.CodeKeyReused {
				q, err = p, nil
			}
			done(q, err)
		}
	}}},
	"keys are remembered for ever": {"key window", faults{options: func(o *longwire.MemoryOptions) { o.KeyWindow = time.Hour }}},
	"keys are forgotten early":     {"key window", faults{options: func(o *longwire.MemoryOptions) { o.KeyWindow /= 2 }}},

	"headers are lost":     {"content", published(func(p *longwire.Publication) { p.Headers = nil })},
	"seconds are kept":     {"content", published(func(p *longwire.Publication) { p.Time = p.Time.Truncate(time.Second) })},
	"the key is not read":  {"content", changed(func(p *longwire.Publication) { p.Key = "" })},
	"From is not followed": {"content", faults{feed: eachOf(func(p *longwire.Publication) { p.From = "" })}},
	"bytes end at a zero": {"content", published(func(p *longwire.Publication) {
		before, _, _ := strings.Cut(string(p.Data), "\x00")
		p.Data = []byte(before)
	})},

	"one for each match":      {"read", faults{read: twice}},
	"the limit is one more":   {"read", faults{read: asked(func(r *longwire.Range) { r.Limit = min(r.Limit, r.Limit*2) + min(r.Limit, 1) })}},
	"UpTo is one more":        {"read", faults{read: asked(func(r *longwire.Range) { r.UpTo += min(r.UpTo, 1) })}},
	"After is read too":       {"read", faults{read: asked(func(r *longwire.Range) { r.After = max(r.After, 1) - 1 })}},
	"the last one more":       {"read last", faults{read: asked(func(r *longwire.Range) { r.Last += min(r.Last, 1) })}},
	"From is a second late":   {"read from", faults{read: asked(func(r *longwire.Range) { r.From = r.From.Add(time.Second) })}},
	"a read goes on and on":   {"read ends", faults{read: onAndOn}},
	"a context means nothing": {"read stops", faults{read: asked(func(*longwire.Range) {})}},

	"count and not one more": {"count", class(func(c *longwire.Class) { c.Count-- })},
	"count and two more":     {"count", class(func(c *longwire.Class) { c.Count++ })},
	"no age":                 {"age", class(func(c *longwire.Class) { c.Age = -1 })},
	"half the age":           {"age", class(func(c *longwire.Class) { c.Age /= 2 })},
	"no bound in bytes":      {"bytes", class(func(c *longwire.Class) { c.Bytes = -1 })},
	"all the same class":     {"classes", class(func(c *longwire.Class) { c.Count = 1 })},

	"gaps are not told":             {"gaps", faults{read: gaps(func(*longwire.GapError) bool { return false })}},
	"gaps of age are not told":      {"gaps by age", faults{read: gaps(func(*longwire.GapError) bool { return false })}},
	"gaps of bytes are not told":    {"gaps by bytes", faults{read: gaps(func(*longwire.GapError) bool { return false })}},
	"Forget is not told":            {"gaps after forget", faults{read: gaps(func(*longwire.GapError) bool { return false })}},
	"losses on the way are silent":  {"gaps on the way", faults{read: gaps(func(*longwire.GapError) bool { return false })}},
	"gaps of patterns are not told": {"gaps", faults{read: gaps(func(g *longwire.GapError) bool { return !wire.IsPattern(g.Channel) })}},
	"gaps say where they began":     {"gaps", faults{read: gaps(func(g *longwire.GapError) bool { g.After = 0; return true })}},
	"more losses are not told":      {"gaps again", faults{read: gaps(func(g *longwire.GapError) bool { g.Losses = 0; return true })}},
	"every position has a gap":      {"gaps", faults{read: needless}},
	"one gap for all":               {"gaps", faults{read: oneGap}},
	"any epoch is good": {"gaps", faults{read: asked(func(r *longwire.Range) {
		if r.Epoch != 0 {
			r.Epoch = 7
		}
	})}},

	"a hole":                     {"follow under load", faults{feed: dropped(20)}},
	"a feed begins at zero":      {"follow", faults{feed: begins(func(f *longwire.Feed) { f.Last = 0 })}},
	"something is not told":      {"follow", faults{feed: dropped(2)}},
	"a hole after interruptions": {"interrupted", faults{missed: func(after uint64) uint64 { return after + 1 }}},

	"a closed broker says something else": {"close", faults{closed: errors.New("closed")}},

	"the end of an epoch is not told":       {"kill", faults{feed: begins(func(f *longwire.Feed) { f.Earlier = nil })}},
	"an epoch ends too early":               {"kill", faults{crashed: ended(func(n uint64) uint64 { return max(n, 1) - 1 })}},
	"an epoch does not end":                 {"kill", faults{crashed: ended(func(uint64) uint64 { return 1 << 40 })}},
	"only the epoch before is known":        {"kill twice", faults{feed: begins(func(f *longwire.Feed) { f.Earlier = f.Earlier[max(0, len(f.Earlier)-1):] })}},
	"a clean end is taken for another":      {"reopen", faults{forgets: true}},
	"what was acknowledged last is lost":    {"kill under load", faults{read: short}},
	"what is acknowledged is lost on Close": {"close", faults{read: short}},
}

const faultVar = "BROKERTEST_FAULT"

// TestFaulty runs the suite on a broker with a fault, if [TestFindsFaults] says which.
func TestFaulty(t *testing.T) {
	if f, ok := known[os.Getenv(faultVar)]; ok {
		brokertest.Run(t, lastingMaker(f.faults))
	}
}

// TestFindsFaults has the suite fail, in another process, for each fault.
func TestFindsFaults(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	names := make(chan string)
	defer close(names)
	for range 2 {
		wg.Go(func() {
			for name := range names {
				t.Run(name, func(t *testing.T) { findsFault(t, name) })
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		names <- name
	}
}

func findsFault(t *testing.T, name string) {
	run := "^TestFaulty$/^partitions=/^" + strings.ReplaceAll(known[name].behaviour, " ", "_") + "$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+run)
	cmd.Env = append(os.Environ(), faultVar+"="+name)
	out, err := cmd.CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		t.Fatalf("%s: %v\n%s", run, err, out)
	}
	for what, want := range map[string]bool{
		"--- FAIL: TestFaulty/partitions=1": true,
		"--- FAIL: TestFaulty/partitions=8": true,
		"panic:":                            false,
		"DATA RACE":                         false,
	} {
		if strings.Contains(string(out), what) != want {
			t.Errorf("%s: it says %q is %t\n%s", run, what, !want, out)
		}
	}
}

// published changes what is published.
func published(change func(*longwire.Publication)) faults {
	return faults{publish: func(p *longwire.Publication, done outcome) outcome {
		change(p)
		return done
	}}
}

// told changes what publishers hear.
func told(change func(*longwire.Publication)) faults {
	return faults{publish: func(_ *longwire.Publication, done outcome) outcome {
		return func(p *longwire.Publication, err error) {
			if p != nil {
				change(p)
			}
			done(p, err)
		}
	}}
}

// swapped holds back every fourth outcome until nothing else is to be done.
func swapped() func(*longwire.Publication, outcome) outcome {
	var n atomic.Int32
	return func(_ *longwire.Publication, done outcome) outcome {
		return func(p *longwire.Publication, err error) {
			if n.Add(1)%4 == 0 {
				time.AfterFunc(time.Millisecond, func() { done(p, err) })
				return
			}
			done(p, err)
		}
	}
}

// changed changes what is read.
func changed(change func(*longwire.Publication)) faults {
	return faults{read: func(_ *lasting, _ *longwire.Range, seq walk) walk {
		return func(yield func(*longwire.Publication, error) bool) {
			for p, err := range seq {
				if p != nil {
					q := *p
					p = &q
					change(p)
				}
				if !yield(p, err) {
					return
				}
			}
		}
	}}
}

// asked reads something else than what was asked for.
func asked(change func(*longwire.Range)) func(*lasting, *longwire.Range, walk) walk {
	return func(b *lasting, r *longwire.Range, _ walk) walk {
		change(r)
		if r.Epoch != 0 {
			r.Epoch = b.inner(r)
		}
		return b.store.inner.Read(b.ctx, r)
	}
}

// twice reads one name after the other.
func twice(b *lasting, r *longwire.Range, _ walk) walk {
	return func(yield func(*longwire.Publication, error) bool) {
		var all []*longwire.Publication
		for _, name := range r.Channels {
			one := *r
			one.Channels, one.Epoch = []string{name}, 0
			for p, err := range b.store.inner.Read(b.ctx, &one) {
				if err == nil {
					all = append(all, p)
				}
			}
		}
		slices.SortFunc(all, func(p, q *longwire.Publication) int { return cmp.Compare(p.Number, q.Number) })
		for _, p := range all {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// onAndOn reads again where it ended.
func onAndOn(b *lasting, r *longwire.Range, seq walk) walk {
	return func(yield func(*longwire.Publication, error) bool) {
		for more := true; more; seq = b.store.inner.Read(b.ctx, r) {
			more = false
			for p, err := range seq {
				if p != nil {
					more, r.After = true, p.Number
				}
				if !yield(p, err) {
					return
				}
			}
		}
	}
}

// gaps changes gaps, or leaves them out.
func gaps(change func(*longwire.GapError) bool) func(*lasting, *longwire.Range, walk) walk {
	return func(_ *lasting, _ *longwire.Range, seq walk) walk {
		return func(yield func(*longwire.Publication, error) bool) {
			for p, err := range seq {
				if g, ok := errors.AsType[*longwire.GapError](err); ok && !change(g) {
					continue
				}
				if !yield(p, err) {
					return
				}
			}
		}
	}
}

// needless tells a gap of everything that begins at a position.
func needless(_ *lasting, r *longwire.Range, seq walk) walk {
	return func(yield func(*longwire.Publication, error) bool) {
		if r.Epoch != 0 && !yield(nil, &longwire.GapError{Channel: r.Channels[0], After: r.After}) {
			return
		}
		for p, err := range gaps(func(g *longwire.GapError) bool { return g.Channel != r.Channels[0] })(nil, r, seq) {
			if !yield(p, err) {
				return
			}
		}
	}
}

// oneGap tells the first gap only.
func oneGap(b *lasting, r *longwire.Range, seq walk) walk {
	n := 0
	return gaps(func(*longwire.GapError) bool { n++; return n == 1 })(b, r, seq)
}

// short leaves out the last of what is read.
func short(_ *lasting, _ *longwire.Range, seq walk) walk {
	return func(yield func(*longwire.Publication, error) bool) {
		var held *longwire.Publication
		for p, err := range seq {
			if p != nil {
				held, p = p, held
			}
			if (p != nil || err != nil) && !yield(p, err) {
				return
			}
		}
	}
}

// eachOf changes what followers hear.
func eachOf(change func(*longwire.Publication)) func(*longwire.Feed) {
	return func(f *longwire.Feed) {
		for _, p := range f.Publications {
			change(p)
		}
	}
}

// dropped leaves a number of each partition out.
func dropped(number uint64) func(*longwire.Feed) {
	return func(f *longwire.Feed) {
		f.Publications = slices.DeleteFunc(f.Publications, func(p *longwire.Publication) bool { return p.Number == number })
		if len(f.Publications) == 0 && f.Last == number {
			f.Last-- // or it would be one that begins
		}
	}
}

// begins changes how feeds begin.
func begins(change func(*longwire.Feed)) func(*longwire.Feed) {
	return func(f *longwire.Feed) {
		if len(f.Publications) == 0 {
			change(f)
		}
	}
}

// class changes what classes keep.
func class(change func(*longwire.Class)) faults {
	return faults{options: func(o *longwire.MemoryOptions) {
		for i := range o.Classes {
			change(&o.Classes[i])
		}
	}}
}

// ended changes where an epoch ended.
func ended(change func(uint64) uint64) func(*epoch) {
	return func(e *epoch) {
		for i, n := range e.ends {
			e.ends[i] = change(n)
		}
	}
}
