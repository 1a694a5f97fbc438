package longwire

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

// A deadEnd is a broker whose feed ends when it is told to.
type deadEnd struct {
	Broker
	end chan error
}

func (b *deadEnd) Follow(ctx context.Context, sink func(Feed)) error {
	sink(Feed{Epoch: 1})
	select {
	case err := <-b.end:
		return err
	case <-ctx.Done():
		return errors.New("cut off")
	}
}

func TestFeedEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(n *Node, b *deadEnd)
		want string // in the log
	}{
		{"with an error", func(_ *Node, b *deadEnd) { b.end <- errors.New("the cable is out") }, "the cable is out"},
		{"with the broker", func(_ *Node, b *deadEnd) { b.end <- nil }, "close the node first"},
		{"with the node", func(n *Node, _ *deadEnd) { n.Close(t.Context()) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine, err := NewEngine(&EngineOptions{Loops: 1, Goroutines: true})
				if err != nil {
					t.Fatal(err)
				}
				defer engine.Close(t.Context())
				var log strings.Builder
				b := &deadEnd{Broker: NewMemory(nil), end: make(chan error)}
				defer b.Close(t.Context())
				n, err := New(&Options{Engine: engine, Broker: b, Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatal(err)
				}
				defer n.Close(t.Context())
				tt.end(n, b)
				synctest.Wait()
				if got := log.String(); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
					t.Errorf("logged %q, want %q", got, tt.want)
				}
			})
		})
	}
}
