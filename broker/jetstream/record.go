package jetstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A record is what there is to know of the data beside the streams: how channels are
// laid out over them, which epochs there were, and what was forgotten. It is written
// before what it says is true to anybody. A [keeper] keeps it.
type record struct {
	Format     int                  `json:"format"`
	Partitions int                  `json:"partitions"` // of each class
	Classes    []recordClass        `json:"classes"`
	Epochs     []epoch              `json:"epochs"`              // the last is the present one
	Clean      []uint64             `json:"clean,omitempty"`     // last numbers, if the end was in order
	Forgotten  map[string]forgotten `json:"forgotten,omitempty"` // by channel
	Limits     []limits             `json:"limits,omitempty"`    // of each partition, if they were others once
	Damaged    []damage             `json:"damaged,omitempty"`   // what was lost in the midst, by partition and number

	revision uint64 // as its keeper counts, if that does
}

// A recordClass is what decides of which class a channel is.
type recordClass struct {
	Name     string   `json:"name"`
	Patterns []string `json:"patterns,omitempty"`
}

// An epoch is a time in which numbers were not given twice.
type epoch struct {
	ID    uint32   `json:"id"`
	First []uint64 `json:"first"` // its first number in each partition
}

// A forgotten channel has nothing up to a number.
type forgotten struct {
	Number uint64    `json:"number"`
	Time   time.Time `json:"time"`
}

const (
	recordFormat = 1
	maxEpochs    = 64     // positions of older ones are unknown
	maxForgotten = 10_000 // then Forget is refused: each read looks through them
)

// newRecord makes the record of data that nothing is in yet.
func newRecord(l *longwire.Layout) *record {
	return &record{Format: recordFormat, Partitions: l.Each(), Classes: classesOf(l)}
}

func classesOf(l *longwire.Layout) (list []recordClass) {
	for i := 0; i < l.Partitions(); i += l.Each() {
		c := l.Class(i)
		list = append(list, recordClass{c.Name, c.Patterns})
	}
	return list
}

// A damagedError says that there is a record and that it says nothing. Without data that does no harm.
type damagedError struct{ what string }

func (e *damagedError) Error() string {
	return "jetstream: the record of the data, " + recordName + ", " + e.what
}

func damaged(err error) bool {
	_, ok := errors.AsType[*damagedError](err)
	return ok
}

func parseRecord(b []byte) (*record, error) {
	r := &record{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, &damagedError{"is damaged (" + err.Error() + ")"}
	}
	if r.Format > recordFormat {
		return nil, fmt.Errorf("jetstream: the data has format %d and this program knows up to %d; use the newer program that wrote it, or another directory with --data", r.Format, recordFormat)
	}
	if !r.whole() {
		return nil, &damagedError{"is damaged (it does not say how the data is laid out)"}
	}
	return r, nil
}

// whole reports whether a record says what all records say.
func (r *record) whole() bool {
	n := r.Partitions * len(r.Classes)
	return r.Format > 0 && r.Partitions > 0 && n > 0 && n <= longwire.MaxPartitions &&
		!slices.ContainsFunc(r.Epochs, func(e epoch) bool { return e.ID == 0 || len(e.First) != n }) &&
		!slices.ContainsFunc(r.Damaged, func(d damage) bool { return d.Partition < 0 || d.Partition >= n }) &&
		(r.Clean == nil || len(r.Clean) == n) && (r.Limits == nil || len(r.Limits) == n)
}

// fits reports whether the data is laid out so. It is an error if it cannot be.
func (r *record) fits(l *longwire.Layout) (bool, error) {
	if r.Partitions != l.Each() {
		return false, wire.Errorf(wire.CodeBadRequest, "the number of partitions of each class is %d in the data, and %d is wanted; that cannot be changed, so leave it out", r.Partitions, l.Each())
	}
	same := func(a, b recordClass) bool { return a.Name == b.Name && slices.Equal(a.Patterns, b.Patterns) }
	return slices.EqualFunc(r.Classes, classesOf(l), same), nil
}

// adapt makes it the record of this layout. It reports whether that is another one: channels may live
// elsewhere then, so no position says anything of them.
func (r *record) adapt(l *longwire.Layout) (bool, error) {
	fits, err := r.fits(l)
	if err != nil || fits {
		return false, err
	}
	r.Epochs, r.Forgotten, r.Classes, r.Limits, r.Damaged = nil, nil, classesOf(l), nil, nil
	return true, nil
}

// begin begins an epoch with the numbers that follow last, unless the present one goes
// on. It reports whether it did.
func (r *record) begin(l *longwire.Layout, last []uint64) (bool, error) {
	changed, err := r.adapt(l)
	if err != nil {
		return false, err
	}
	if !changed && len(r.Epochs) > 0 && slices.Equal(r.Clean, last) {
		return false, nil
	}
	r.next(l, last)
	return true, nil
}

// next begins an epoch behind these numbers. What was forgotten beyond them was of numbers
// that are given again.
func (r *record) next(l *longwire.Layout, last []uint64) {
	e := epoch{ID: rand.Uint32()}
	for e.ID == 0 || slices.ContainsFunc(r.Epochs, func(o epoch) bool { return o.ID == e.ID }) {
		e.ID = rand.Uint32()
	}
	for _, n := range last {
		e.First = append(e.First, n+1)
	}
	r.Epochs = append(r.Epochs, e)
	r.Epochs = r.Epochs[max(0, len(r.Epochs)-maxEpochs):]
	for name, f := range r.Forgotten {
		if f.Number = min(f.Number, last[l.Partition(name)]); f.Number > 0 {
			r.Forgotten[name] = f
		} else {
			delete(r.Forgotten, name)
		}
	}
}

// epoch returns the present one.
func (r *record) epoch() uint32 { return r.Epochs[len(r.Epochs)-1].ID }

// epochOf returns the epoch in which a publication was made.
func (r *record) epochOf(partition int, number uint64) uint32 {
	for i := len(r.Epochs) - 1; i > 0; i-- {
		if e := &r.Epochs[i]; number >= e.First[partition] {
			return e.ID
		}
	}
	return r.Epochs[0].ID
}

// earlier returns where the epochs before ended in a partition.
func (r *record) earlier(partition int) (list []longwire.EpochEnd) {
	end := ^uint64(0)
	for i := len(r.Epochs) - 1; i > 0; i-- {
		end = min(end, r.Epochs[i].First[partition]-1)
		list = append(list, longwire.EpochEnd{Epoch: r.Epochs[i-1].ID, Last: end})
	}
	return list
}

// reaches reports whether a number of an epoch is what it was then.
func (r *record) reaches(partition int, id uint32, number uint64) bool {
	last, known := r.lastOf(partition, id)
	return known && number <= last
}

// lastOf returns up to where the numbers of an epoch are what they were then, if it is known.
func (r *record) lastOf(partition int, id uint32) (last uint64, known bool) {
	if id == r.epoch() {
		return maxCount, true
	}
	for _, e := range r.earlier(partition) {
		if e.Epoch == id {
			return e.Last, true
		}
	}
	return 0, false
}

// forget notes that nothing of a channel up to a number is there any more.
func (r *record) forget(channel string, number uint64, oldest time.Time) error {
	for name, f := range r.Forgotten {
		if f.Time.Before(oldest) {
			delete(r.Forgotten, name)
		}
	}
	if len(r.Forgotten) >= maxForgotten {
		return wire.Errorf(wire.CodeOverloaded, "%d channels were forgotten of late, and no more can be remembered; wait until the oldest of them are older than any position", maxForgotten)
	}
	if r.Forgotten == nil {
		r.Forgotten = map[string]forgotten{}
	}
	r.Forgotten[channel] = forgotten{number, time.Now().Round(0)}
	return nil
}

// forgot reports whether a publication is forgotten: it may be there until another node has deleted it.
func (r *record) forgot(p *longwire.Publication) bool {
	return p.Number <= r.Forgotten[p.Channel].Number
}

// clone returns a copy that can be changed.
func (r *record) clone() *record {
	c := *r
	c.Epochs = slices.Clone(r.Epochs)
	c.Forgotten = maps.Clone(r.Forgotten)
	c.Limits = slices.Clone(r.Limits)
	c.Damaged = slices.Clone(r.Damaged)
	return &c
}
