package longwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/longwire/longwire"
)

// A heldBroker is a memory broker that the node hears of in one piece, when it is let.
type heldBroker struct {
	longwire.Broker

	mu sync.Mutex
	// Guarded by mu.
	held bool
	feed longwire.Feed // what waits
	sink func(longwire.Feed)
}

func (b *heldBroker) Follow(ctx context.Context, sink func(longwire.Feed)) error {
	b.mu.Lock()
	b.sink = sink
	b.mu.Unlock()
	return b.Broker.Follow(ctx, func(f longwire.Feed) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.held {
			f.Publications = append(b.feed.Publications, f.Publications...)
			b.feed = f
		} else {
			sink(f)
		}
	})
}

func (b *heldBroker) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held, b.feed = true, longwire.Feed{}
}

func (b *heldBroker) free() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = false
	b.sink(b.feed)
}

// held runs a body with a node over a held broker.
func held(t *testing.T, o longwire.Options, body func(t *testing.T, r *rig, b *heldBroker)) {
	synctest.Test(t, func(t *testing.T) {
		b := &heldBroker{Broker: longwire.NewMemory(nil)}
		t.Cleanup(func() {
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		o.Broker = b
		body(t, newRig(t, o), b)
	})
}

// A poll is answered when its link is full, in the midst of what the hub hands out: it
// stands at its last message, whichever of its channels that is of.
func TestFullPollStandsAtItsLastMessage(t *testing.T) {
	o := openToAll
	longwire.Bound(&o, longwire.Bounds{Turn: 1})
	held(t, o, func(t *testing.T, r *rig, b *heldBroker) {
		const last = 30
		at := r.publish("x", "0")
		b.hold()
		answers := make(chan answered, 1)
		ask := func() {
			a, err := r.tryDo(t.Context(), "GET", fmt.Sprintf("/channels/a,b?wait=9s&since=%s", at), "")
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}
		go ask()
		synctest.Wait()
		for i := 1; i <= last; i++ {
			channel := "b"
			if i == 2 {
				channel = "a"
			}
			r.publish(channel, fmt.Sprint(i, strings.Repeat(" ", 1500)))
		}
		b.free()
		for n := 1; n <= last; {
			a := <-answers
			var f struct {
				Messages []frame
				Position longwire.Position
			}
			if err := json.Unmarshal([]byte(a.body), &f); err != nil || len(f.Messages) == 0 {
				t.Fatalf("%v: %.300s", err, a.body)
			}
			for _, m := range f.Messages {
				if !strings.HasPrefix(string(m.Data), fmt.Sprintf(`"%d `, n)) {
					t.Fatalf("heard %v, want %d", m, n)
				}
				n++
			}
			if got := number(string(f.Position)); n <= last && got != number(f.Messages[len(f.Messages)-1].Position) {
				t.Errorf("the answer up to %d stands at %s", n-1, got)
			}
			if at = f.Position; n <= last {
				go ask()
			}
		}
	})
}
