package longwire

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/wire"
)

// memModel is the memory broker as one would write it if nothing had to be fast: a
// list of all that was ever published.
type memModel struct {
	t   *testing.T
	m   *memory
	o   MemoryOptions
	rnd *rand.Rand
	all []*memRecord
	// The last publication with a key, by channel and key.
	keys map[memKeyID]*memRecord
}

type memRecord struct {
	p    *Publication
	data string
	at   time.Time
	gone bool
}

var memNames = []string{"a", "b", "c.x", "c.y", "c.x.1", "d.x"}

// TestMemoryModel does random things to a memory broker and holds what it answers
// against the model.
func TestMemoryModel(t *testing.T) {
	seeds, steps := 60, 250
	if testing.Short() {
		seeds = 15
	}
	for seed := range uint64(seeds) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		o := MemoryOptions{
			Count: []int{1, 2, 5, 1000}[rnd.IntN(4)],
			Age:   []time.Duration{-1, 10 * time.Second, time.Minute, time.Hour}[rnd.IntN(4)],
			Bytes: []int64{-1, 64_000, 1 << 30}[rnd.IntN(3)],
			// Longer than some ages.
			KeyWindow: 20 * time.Second,
		}
		name := fmt.Sprintf("seed=%d %+v", seed, o)
		memTest(t, &o, func(t *testing.T, m *memory) {
			d := &memModel{t: t, m: m, o: o.filled(), rnd: rnd, keys: map[memKeyID]*memRecord{}}
			ear := &memEar{t: t}
			stop := m.follow(ear.hear)
			for i := range steps {
				d.step()
				if t.Failed() {
					t.Fatalf("%s: step %d", name, i)
				}
			}
			stop()
			if ear.n != len(d.all) {
				t.Errorf("%s: %d heard of %d", name, ear.n, len(d.all))
			}
		})
	}
}

func (d *memModel) step() {
	switch n := d.rnd.IntN(100); {
	case n < 50:
		d.publish()
	case n < 60:
		time.Sleep(time.Duration(d.rnd.IntN(8000)) * time.Millisecond)
	case n < 63:
		d.forget()
	case n < 64:
		time.Sleep(time.Duration(d.rnd.IntN(3)) * time.Hour)
	default:
		d.read()
	}
}

func (d *memModel) channel() string { return memNames[d.rnd.IntN(len(memNames))] }

func (d *memModel) publish() {
	p := &Publication{Channel: d.channel(), Data: fmt.Append(nil, d.rnd.IntN(2))}
	if d.rnd.IntN(3) == 0 {
		p.Key = fmt.Sprint("key", d.rnd.IntN(6))
	}
	if d.rnd.IntN(3) == 0 {
		p.Time = time.Now().Add(time.Duration(d.rnd.IntN(6)-3) * time.Second)
	}
	data := string(p.Data)
	if d.o.Bytes > 0 && d.o.Bytes < 1<<20 && p.Key == "" {
		p.Data = append(p.Data, make([]byte, d.rnd.IntN(2000))...)
	}
	got, err := d.m.publish(p)

	id := memKeyID{p.Channel, p.Key}
	first := d.keys[id]
	known := p.Key != "" && first != nil && time.Since(first.at) < d.o.KeyWindow
	switch {
	case known && first.data != data:
		if wire.CodeOf(err) != wire.CodeKeyReused {
			d.t.Errorf("other data with key %s of %s: %v", p.Key, p.Channel, err)
		}
	case err != nil:
		d.t.Error(err)
	case known:
		if got.Number != first.p.Number || !got.Time.Equal(first.p.Time) || string(got.Data) != data {
			d.t.Errorf("key %s of %s: %+v, want %+v", p.Key, p.Channel, got, first.p)
		}
	case got != p || p.Number != uint64(len(d.all)+1) || p.Epoch != d.m.epoch || p.Time.IsZero():
		d.t.Errorf("published %+v after %d", got, len(d.all))
	default:
		r := &memRecord{p: p, data: data, at: time.Now()}
		d.all = append(d.all, r)
		if p.Key != "" {
			d.keys[id] = r
		}
	}
	d.expire()
}

// expire marks what is gone. Of what goes because of bytes it is only checked that it
// is the oldest.
func (d *memModel) expire() {
	follow := map[string]int{}
	for _, r := range slices.Backward(d.all) {
		n := follow[r.p.Channel]
		follow[r.p.Channel]++
		if n > d.o.Count || d.o.Age > 0 && time.Since(r.at) >= d.o.Age {
			r.gone = true
		}
	}
	kept := map[uint64]bool{}
	for p, err := range d.m.Read(d.t.Context(), &Range{Channels: []string{">"}}) {
		if err != nil {
			d.t.Error(err)
			return
		}
		kept[p.Number] = true
	}
	full := true
	for _, r := range d.all {
		switch has := kept[r.p.Number]; {
		case has && r.gone:
			d.t.Errorf("number %d is still kept", r.p.Number)
		case has:
			full = false
		case !r.gone && (d.o.Bytes < 0 || d.o.Bytes == 1<<30 || !full):
			d.t.Errorf("number %d is not kept", r.p.Number)
		case !has:
			r.gone = true
		}
	}
}

func (d *memModel) forget() {
	name := d.channel()
	if err := d.m.Forget(d.t.Context(), name); err != nil {
		d.t.Error(err)
	}
	for _, r := range d.all {
		if r.p.Channel == name {
			r.gone = true
		}
	}
}

func (d *memModel) read() {
	d.expire()
	r := &Range{}
	for range 1 + d.rnd.IntN(3)*d.rnd.IntN(3) {
		r.Channels = append(r.Channels, append(memNames, ">", "*", "c.*", "*.x", "c.>", "none", "none.*")[d.rnd.IntN(len(memNames)+7)])
	}
	if d.rnd.IntN(4) == 0 {
		r.Limit = 1 + d.rnd.IntN(5)
	}
	switch d.rnd.IntN(6) {
	case 0:
	case 1:
		r.Last = 1 + d.rnd.IntN(4)
	case 2:
		r.From = time.Now().Add(-time.Duration(d.rnd.IntN(20)) * time.Second)
	default:
		r.Epoch, r.After = d.m.epoch, uint64(d.rnd.IntN(len(d.all)+1))
		if d.rnd.IntN(8) == 0 {
			r.Epoch++
		}
		if d.rnd.IntN(8) == 0 {
			r.After = uint64(len(d.all) + 1)
		}
	}
	var got []uint64
	gaps := map[string]uint64{}
	for p, err := range d.m.Read(d.t.Context(), r) {
		if g, ok := errors.AsType[*GapError](err); ok && got == nil {
			if _, twice := gaps[g.Channel]; twice {
				d.t.Errorf("%+v: %s has two gaps", r, g.Channel)
			}
			gaps[g.Channel] = g.After
			continue
		}
		if err != nil {
			d.t.Errorf("%+v: %v", r, err)
			return
		}
		got = append(got, p.Number)
	}
	if want := d.wanted(r); !slices.Equal(got, want) {
		d.t.Errorf("%+v: read %v, want %v", r, got, want)
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(r.Channels))) {
		after, told := gaps[name]
		delete(gaps, name)
		d.checkGap(r, name, after, told)
	}
	if len(gaps) > 0 {
		d.t.Errorf("%+v: gaps %v", r, gaps)
	}
}

func (d *memModel) foreign(r *Range) bool {
	return r.Epoch != 0 && (r.Epoch != d.m.epoch || r.After > uint64(len(d.all)))
}

// wanted returns the numbers of what is to be read.
func (d *memModel) wanted(r *Range) (numbers []uint64) {
	last := map[string]int{}
	for _, e := range slices.Backward(d.all) {
		switch {
		case e.gone, e.p.Number <= r.After && !d.foreign(r), !memAny(r.Channels, e.p.Channel), e.p.Time.Before(r.From):
			continue
		}
		if last[e.p.Channel]++; r.Last == 0 || last[e.p.Channel] <= r.Last {
			numbers = append(numbers, e.p.Number)
		}
	}
	slices.Reverse(numbers)
	if r.Limit > 0 && len(numbers) > r.Limit {
		numbers = numbers[:r.Limit]
	}
	return numbers
}

// checkGap holds a gap, or that there is none, against the rule.
func (d *memModel) checkGap(r *Range, name string, after uint64, told bool) {
	lost, old, first := uint64(0), uint64(0), uint64(0)
	for _, e := range d.all {
		if d.o.Age > 0 && time.Since(e.at) >= d.o.Age {
			old = e.p.Number
		}
		if memAny([]string{name}, e.p.Channel) {
			if e.gone {
				lost = e.p.Number
			} else if first == 0 && (e.p.Number > r.After || d.foreign(r)) {
				first = e.p.Number
			}
		}
	}
	must := d.foreign(r) || r.Epoch != 0 && lost > r.After
	// A position that is older than the age may be told to be too old.
	may := must || r.Epoch != 0 && r.After < old
	if must && !told || told && !may {
		d.t.Errorf("%+v: gap of %s told %t; lost up to %d, too old up to %d", r, name, told, lost, old)
	}
	if !told {
		return
	}
	if first != 0 && after >= first {
		d.t.Errorf("%+v: the gap of %s is after %d, but %d follows", r, name, after, first)
	}
	if !d.foreign(r) && after <= r.After && !wire.IsPattern(name) || !wire.IsPattern(name) && after < lost {
		d.t.Errorf("%+v: the gap of %s is after %d; lost up to %d", r, name, after, lost)
	}
}

// memAny reports whether a channel is meant by any of the names and patterns.
func memAny(names []string, channel string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		x := memGrammar[name]
		if x == nil {
			x = regexp.MustCompile("^" + strings.NewReplacer(".", `\.`, "*", `[^.]+`, ">", `.+`).Replace(name) + "$")
			memGrammar[name] = x
		}
		return x.MatchString(channel)
	})
}

var memGrammar = map[string]*regexp.Regexp{}
