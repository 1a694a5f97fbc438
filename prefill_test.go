package longwire

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"
)

// A node that begins has in its window what its broker keeps, back to what is missing.
func TestPrefill(t *testing.T) {
	for _, c := range []struct {
		name    string
		count   int // of each channel
		publish int
		most    int
		want    uint64 // the first in the window
	}{
		{"nothing", 0, 0, 0, 1},
		{"all", 5000, 3000, 0, 1},
		{"as much as there is room for", 5000, 3000, 1500, 1501},
		{"back to what is missing", 99, 3000, 0, 2901},
		{"one block", 5000, prefillBlock, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewMemory(&MemoryOptions{Count: c.count})
			for i := range c.publish {
				b.Publish(&Publication{Channel: "a", Data: fmt.Append(nil, i)}, func(*Publication, error) {})
			}
			o := &Options{Broker: b}
			o.bounds.recent = c.most
			t.Cleanup(func() { b.Close(context.Background()) }) // after the node
			n := newNode(t, o)
			if got, _ := n.recent.begins(); got != c.want {
				t.Errorf("the window begins at %d, want %d", got, c.want)
			}
			events, ok := n.recent.after(make([]*event, 0, c.publish+1), c.want-1)
			if !ok || len(events) != c.publish-int(c.want)+1 {
				t.Fatalf("%d events, %v", len(events), ok)
			}
			for i, e := range events {
				if e.p.Number != c.want+uint64(i) {
					t.Fatalf("event %d has number %d", i, e.p.Number)
				}
			}
		})
	}
}

// A holed broker has lost one publication in the midst, and tells it.
type holed struct {
	Broker
	lost uint64
}

func (b *holed) Read(ctx context.Context, r *Range) iter.Seq2[*Publication, error] {
	return func(yield func(*Publication, error) bool) {
		for p, err := range b.Broker.Read(ctx, r) {
			if p != nil && p.Number == b.lost {
				p, err = nil, &GapError{Channel: r.Channels[0], After: b.lost, Lost: b.lost}
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// What is behind a gap in the midst is in the window, and nothing before it.
func TestPrefillBehindGap(t *testing.T) {
	for _, lost := range []uint64{1, 100, 1500, 1999, 2000} {
		b := &holed{NewMemory(&MemoryOptions{Count: 5000}), lost}
		for i := range 2000 {
			b.Publish(&Publication{Channel: "a", Data: fmt.Append(nil, i)}, func(*Publication, error) {})
		}
		t.Cleanup(func() { b.Close(context.Background()) }) // after the node
		n := newNode(t, &Options{Broker: b})
		if got, _ := n.recent.begins(); got != lost+1 {
			t.Errorf("without %d the window begins at %d", lost, got)
		}
	}
}

// The window has the publications of each partition in the order of their numbers, also where their times are in another.
func TestPrefillOfSeveralPartitions(t *testing.T) {
	const parts, publish = 3, 300
	b := NewMemory(&MemoryOptions{Partitions: parts})
	for i := range publish {
		at := time.Now().Add(time.Duration(i-10*(i%7)) * time.Millisecond)
		b.Publish(&Publication{Channel: fmt.Sprint("c", i%10), Time: at}, func(*Publication, error) {})
	}
	t.Cleanup(func() { b.Close(context.Background()) }) // after the node
	n := newNode(t, &Options{Broker: b})
	first, base := n.recent.begins()
	events, ok := n.recent.after(make([]*event, 0, publish+1), first-1)
	if !ok || len(events) != publish || *base != (marks{}) {
		t.Fatalf("%d events from %v on, %v", len(events), base, ok)
	}
	want := *base
	for _, e := range events {
		if want[e.p.Partition]++; e.p.Number != want[e.p.Partition] || *e.marks != want {
			t.Fatalf("number %d of partition %d at %v, want %v", e.p.Number, e.p.Partition, e.marks, want)
		}
	}
	for _, e := range events { // whoever comes back from there gets what follows
		if at, ok := n.recent.find(e.marks, span{0, parts}); !ok || at != e.number {
			t.Errorf("whoever stands at %v is found at %d, not %d", e.marks, at, e.number)
		}
	}
}
