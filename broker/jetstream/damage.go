package jetstream

import (
	"cmp"
	"slices"
	"time"

	"github.com/longwire/longwire"
)

// A damage is what of a partition is lost because its file was damaged: numbers, some of which may not have been
// there any more. Nobody knows whose they were, so whoever reads past them is told of a gap, on any channel.
type damage struct {
	Partition int       `json:"partition"`
	First     uint64    `json:"first"`
	Last      uint64    `json:"last"`
	Time      time.Time `json:"time"` // when it was found
}

// maxDamages bounds what is noted of a partition. Beyond it the oldest two become one, with what is between them.
const maxDamages = 32

// noteDamage notes what is lost. What is found once more is noted once.
func (r *record) noteDamage(d damage) {
	list := append(slices.Clone(r.Damaged), d)
	slices.SortFunc(list, func(a, b damage) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.First, b.First))
	})
	joined := list[:1]
	for _, d := range list[1:] {
		if e := &joined[len(joined)-1]; d.Partition == e.Partition && d.First <= e.Last+1 {
			e.join(d)
		} else {
			joined = append(joined, d)
		}
	}
	r.Damaged = joined
	here := func(o damage) bool { return o.Partition == d.Partition }
	if i := slices.IndexFunc(joined, here); i+maxDamages < len(joined) && here(joined[i+maxDamages]) {
		joined[i].join(joined[i+1])
		r.Damaged = slices.Delete(joined, i+1, i+2)
	}
}

func (d *damage) join(o damage) {
	d.Last = max(d.Last, o.Last)
	if o.Time.After(d.Time) {
		d.Time = o.Time
	}
}

// damageIn returns the newest number behind one and before another that is lost, zero if none is.
func (r *record) damageIn(partition int, after, before uint64) (last uint64) {
	for _, d := range r.Damaged {
		if d.Partition == partition && d.Last > after && d.First < before {
			last = max(last, min(d.Last, before-1))
		}
	}
	return last
}

// dropDamage drops what says nothing any more: where a stream has become shorter the numbers are given again, and
// whoever stood before what is too old by now is told of a gap for that.
func (r *record) dropDamage(partition int, s *state, age time.Duration) {
	r.Damaged = slices.DeleteFunc(r.Damaged, func(d damage) bool {
		old := d.Last < s.First && age > 0 && time.Since(d.Time) > age
		return d.Partition == partition && (old || d.First > s.Last)
	})
}

// tellDamage tells gaps to those wants that come to a number next and have something damaged before it.
// It reports whether there are any.
func (w *walk) tellDamage() bool {
	r := w.b.record.Load()
	if len(r.Damaged) == 0 {
		return false
	}
	for _, n := range w.wants {
		next := min(n.next(), w.end+1)
		if last := r.damageIn(w.p.index, max(n.after, n.passed), next); last > 0 {
			n.passed = last
			for name := range n.names() {
				w.gaps = append(w.gaps, &longwire.GapError{Channel: name, After: next - 1, Lost: last})
			}
		}
	}
	return len(w.gaps) > 0
}
