package brokertest_test

import (
	"cmp"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/brokertest"
)

// TestLiteral has a broker tell a gap of every position that is not within history by the letter, also
// where nothing is missing: it may not know better, and the suite takes that.
func TestLiteral(t *testing.T) { brokertest.Run(t, lastingMaker(faults{read: literal})) }

func literal(b *lasting, r *longwire.Range, seq walk) walk {
	if r.Epoch == 0 {
		return seq
	}
	return func(yield func(*longwire.Publication, error) bool) {
		told := map[string]bool{}
		begun := false
		begin := func() bool {
			begun = true
			for _, name := range r.Channels {
				if !told[name] && !b.within(r, name) && !yield(nil, &longwire.GapError{Channel: name, After: r.After}) {
					return false
				}
				told[name] = true
			}
			return true
		}
		for p, err := range seq {
			g, gap := errors.AsType[*longwire.GapError](err)
			if gap {
				told[g.Channel] = true
			}
			if !gap && !begun && !begin() || !yield(p, err) {
				return
			}
		}
		if !begun {
			begin()
		}
	}
}

// within is the rule, for a position that was.
func (b *lasting) within(r *longwire.Range, name string) bool {
	own, follow := map[string]bool{}, map[string]int{name: 0}
	all := longwire.Range{Partition: r.Partition, Channels: []string{name}}
	for p := range b.store.inner.Read(context.Background(), &all) {
		delete(follow, name) // unless it is a channel of which nothing is kept
		own[p.Channel] = own[p.Channel] || p.Number == r.After
	}
	for p := range b.store.inner.Read(context.Background(), &all) {
		if follow[p.Channel] += 0; p.Number > r.After {
			follow[p.Channel]++
		}
	}
	young := time.Since(r.Taken) < cmp.Or(max(b.store.class.Age, 0), 24*time.Hour)
	count := cmp.Or(b.store.class.Count, 1000)
	for c, n := range follow {
		if !own[c] && (!young || n >= count) {
			return false
		}
	}
	return true
}
