package longwire

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/wire"
)

// memTest makes a memory broker for a test, in virtual time.
func memTest(t *testing.T, o *MemoryOptions, test func(t *testing.T, m *memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(o).(*memory)
		defer m.Close(t.Context())
		test(t, m)
	})
}

// publish publishes and waits for the outcome.
func (m *memory) publish(p *Publication) (*Publication, error) {
	type outcome struct {
		p   *Publication
		err error
	}
	c := make(chan outcome, 1)
	m.Publish(p, func(p *Publication, err error) { c <- outcome{p, err} })
	o := <-c
	return o.p, o.err
}

// memPut publishes to channels, one after the other, and returns the last number.
func memPut(t *testing.T, m *memory, channels string) (last uint64) {
	t.Helper()
	for c := range strings.FieldsSeq(channels) {
		p, err := m.publish(&Publication{Channel: c})
		if err != nil {
			t.Fatal(err)
		}
		last = p.Number
	}
	return last
}

// memHistory reads and says what came, in one line: channel!number for a gap,
// channel number for a publication.
func memHistory(t *testing.T, m *memory, r *Range) string {
	t.Helper()
	var b strings.Builder
	for p, err := range m.Read(t.Context(), r) {
		if g, ok := errors.AsType[*GapError](err); ok {
			fmt.Fprintf(&b, " %s!%d", g.Channel, g.After)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, " %s%d", p.Channel, p.Number)
	}
	return strings.TrimPrefix(b.String(), " ")
}

func TestMemoryPublish(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		if m.epoch == 0 {
			t.Error("the epoch is 0, which means none")
		}
		given := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
		for i, want := range []*Publication{
			{Channel: "a", Data: []byte("x"), Kind: Text, From: "me", Headers: map[string]string{"h": "v"}},
			{Channel: "b", ContentType: "image/png", Time: given},
		} {
			copied := *want
			p, err := m.publish(&copied)
			if err != nil {
				t.Fatal(err)
			}
			want.Partition, want.Epoch, want.Number = 0, m.epoch, uint64(i+1)
			if want.Time.IsZero() {
				want.Time = time.Now().Round(0)
			}
			if got, want := fmt.Sprintf("%+v", *p), fmt.Sprintf("%+v", *want); got != want {
				t.Errorf("published %s, want %s", got, want)
			}
			for kept, err := range m.Read(t.Context(), &Range{Channels: []string{want.Channel}}) {
				if kept != p || err != nil {
					t.Errorf("history has %+v, %v, want what was published", kept, err)
				}
			}
		}
	})
}

func TestMemoryClosed(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		memPut(t, m, "a")
		followed := make(chan error, 1)
		go func() { followed <- m.Follow(context.Background(), func(Feed) {}) }()
		synctest.Wait()
		for range 2 {
			if err := m.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := <-followed; err != nil {
			t.Errorf("Follow returned %v", err)
		}
		if err := m.Follow(t.Context(), func(Feed) { t.Error("a closed broker has a feed") }); err != nil {
			t.Errorf("Follow returned %v after Close", err)
		}
		if p, err := m.publish(&Publication{Channel: "a"}); p != nil || wire.CodeOf(err) != wire.CodeUnavailable {
			t.Errorf("Publish said %v, %v", p, err)
		}
		if err := m.Forget(t.Context(), "a"); wire.CodeOf(err) != wire.CodeUnavailable {
			t.Errorf("Forget said %v", err)
		}
		for p, err := range m.Read(t.Context(), &Range{Channels: []string{"a"}}) {
			if p != nil || wire.CodeOf(err) != wire.CodeUnavailable {
				t.Errorf("Read gave %v, %v", p, err)
			}
		}
	})
}

func TestMemoryForget(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		memPut(t, m, "a b a b a")
		for _, name := range []string{"a", "never"} {
			if err := m.Forget(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
		memPut(t, m, "b a")
		for _, tt := range []struct {
			after    uint64
			channels string
			want     string
		}{
			{0, "a", "a!5 a7"},
			{4, "a", "a!5 a7"},
			{5, "a", "a7"},
			{3, "b", "b4 b6"},
			{3, "never", ""},
			{3, "*", "*!3 b4 b6 a7"},
			{5, "*", "b6 a7"},
		} {
			got := memHistory(t, m, &Range{Channels: []string{tt.channels}, Epoch: m.epoch, After: tt.after})
			if got != tt.want {
				t.Errorf("%s after %d: %q, want %q", tt.channels, tt.after, got, tt.want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := m.Forget(ctx, "b"); !errors.Is(err, context.Canceled) {
			t.Errorf("Forget said %v to a cancelled context", err)
		}
	})
}

func TestMemoryForgetsMuch(t *testing.T) {
	memTest(t, &MemoryOptions{Count: 10 * memHold}, func(t *testing.T, m *memory) {
		for range 3*memHold + 1 {
			memPut(t, m, "a")
		}
		m.Forget(t.Context(), "a")
		if got, want := memHistory(t, m, &Range{Channels: []string{"a"}, Epoch: m.epoch}), fmt.Sprintf("a!%d", 3*memHold+1); got != want {
			t.Errorf("history %q, want %q", got, want)
		}
	})
}

func TestMemoryBounds(t *testing.T) {
	every := []string{">"}
	for _, tt := range []struct {
		name string
		o    MemoryOptions
		fill func(t *testing.T, m *memory)
		want string
	}{
		{"count", MemoryOptions{Count: 2}, func(t *testing.T, m *memory) {
			memPut(t, m, "a a a b a")
		}, "a2 a3 b4 a5"},
		{"no history", MemoryOptions{Count: -1}, func(t *testing.T, m *memory) {
			memPut(t, m, "a a b")
		}, ""},
		{"age", MemoryOptions{Age: time.Minute}, func(t *testing.T, m *memory) {
			memPut(t, m, "a b")
			time.Sleep(30 * time.Second)
			memPut(t, m, "a")
			time.Sleep(30 * time.Second)
			memPut(t, m, "b")
		}, "a3 b4"},
		{"just before the age", MemoryOptions{Age: time.Minute}, func(t *testing.T, m *memory) {
			memPut(t, m, "a")
			time.Sleep(time.Minute - 1)
		}, "a1"},
		{"age is by when the broker took it", MemoryOptions{Age: time.Minute}, func(t *testing.T, m *memory) {
			m.publish(&Publication{Channel: "a", Time: time.Now().Add(-time.Hour)})
			m.publish(&Publication{Channel: "a", Time: time.Now().Add(time.Hour)})
			time.Sleep(30 * time.Second)
			memPut(t, m, "b")
			time.Sleep(30 * time.Second)
		}, "b3"},
		{"no age", MemoryOptions{Age: -1}, func(t *testing.T, m *memory) {
			memPut(t, m, "a")
			time.Sleep(10_000 * time.Hour)
			memPut(t, m, "b")
		}, "a1 b2"},
		{"bytes", MemoryOptions{Bytes: 4000}, func(t *testing.T, m *memory) {
			for c := range strings.FieldsSeq("a b a a b") {
				m.publish(&Publication{Channel: c, Data: make([]byte, 700)})
			}
		}, "a3 a4 b5"},
		{"more than all bytes", MemoryOptions{Bytes: 4000}, func(t *testing.T, m *memory) {
			memPut(t, m, "a b")
			m.publish(&Publication{Channel: "c", Data: make([]byte, 4000)})
		}, ""},
		{"no bytes", MemoryOptions{Bytes: -1}, func(t *testing.T, m *memory) {
			memPut(t, m, "a b")
		}, "a1 b2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			memTest(t, &tt.o, func(t *testing.T, m *memory) {
				tt.fill(t, m)
				if got := memHistory(t, m, &Range{Channels: every}); got != tt.want {
					t.Errorf("history %q, want %q", got, tt.want)
				}
				if got, want := m.Keeps("a"), tt.o.Count >= 0; got != want {
					t.Errorf("Keeps says %t, want %t", got, want)
				}
			})
		})
	}
}

// TestMemoryLeavesNothing looks at a broker that was used and then left alone for
// long enough.
func TestMemoryLeavesNothing(t *testing.T) {
	for _, o := range []MemoryOptions{{}, {Count: 1}, {Count: -1}, {Bytes: 20_000}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			memTest(t, &o, func(t *testing.T, m *memory) {
				for i := range 300 {
					m.publish(&Publication{Channel: fmt.Sprint("c.", i%7), Key: fmt.Sprint(i)})
					time.Sleep(time.Second)
				}
				m.Forget(t.Context(), "c.3")
				time.Sleep(2 * memAge)
				synctest.Wait()
				m.mu.Lock()
				defer m.mu.Unlock()
				l := m.log
				if len(l.channels) > 0 || l.bytes != 0 || l.gone != 0 || l.front != nil || l.back != nil || l.lost.first != nil || l.lost.last != nil {
					t.Errorf("the log still has %d channels, %d bytes, of them %d of those gone; front %v, losses %v", len(l.channels), l.bytes, l.gone, l.front, l.lost)
				}
				if k := m.keys; len(k.found) > 0 || k.bytes != 0 || k.first != nil || k.last != nil {
					t.Errorf("there are still %d keys of %d bytes", len(k.found), k.bytes)
				}
				if m.armed {
					t.Error("the timer runs for nothing")
				}
			})
		})
	}
}

// TestMemoryRemembersLittle has far more channels than can be remembered.
func TestMemoryRemembersLittle(t *testing.T) {
	memTest(t, &MemoryOptions{Bytes: 80_000}, func(t *testing.T, m *memory) {
		for i := range 10_000 {
			memPut(t, m, fmt.Sprint("c.", i))
			m.Forget(t.Context(), fmt.Sprint("c.", i))
		}
		if n := len(m.log.channels); n > 70 || m.log.gone > 10_000 {
			t.Errorf("%d channels are remembered, at %d bytes", n, m.log.gone)
		}
		for _, tt := range []struct {
			after uint64
			want  string
		}{
			{10_000, ""},
			{9999, "c.9999!10000"},
			{9990, "c.9999!10000 c.9994!9995"},
		} {
			r := &Range{Channels: []string{"c.9999", "c.9994"}, Epoch: m.epoch, After: tt.after}
			if got := memHistory(t, m, r); got != tt.want {
				t.Errorf("after %d: %q, want %q", tt.after, got, tt.want)
			}
		}
		// It is not known any more what happened to these; so it is told, and once.
		r := &Range{Channels: []string{"c.1"}, Epoch: m.epoch, After: 5000}
		if got, want := memHistory(t, m, r), fmt.Sprintf("c.1!%d", m.log.forgot); got != want {
			t.Errorf("history %q, want %q", got, want)
		}
		if r.After = m.log.forgot; memHistory(t, m, r) != "" {
			t.Error("a gap is told again")
		}
	})
}

func TestMemoryOptionsFilled(t *testing.T) {
	for _, tt := range []struct {
		o    MemoryOptions
		want string // Count, Age, Bytes, KeyWindow
	}{
		{MemoryOptions{}, "1000 24h0m0s 1073741824 2m0s"},
		{MemoryOptions{Count: -1, Age: -1, Bytes: -1, KeyWindow: -1}, "-1 -1ns -1 -1ns"},
		{MemoryOptions{Age: time.Minute}, "1000 1m0s 1073741824 1m0s"},
		{MemoryOptions{Age: -1, KeyWindow: time.Hour}, "1000 -1ns 1073741824 1h0m0s"},
	} {
		o := tt.o.filled()
		if got := fmt.Sprint(o.Count, o.Age, o.Bytes, o.KeyWindow); got != tt.want {
			t.Errorf("%+v filled is %s, want %s", tt.o, got, tt.want)
		}
	}
}

func TestMemoryEpochs(t *testing.T) {
	epochs := map[uint32]bool{}
	for range 8 {
		epochs[NewMemory(nil).(*memory).epoch] = true
	}
	if len(epochs) < 8 {
		t.Errorf("eight brokers have epochs %v", slices.Collect(maps.Keys(epochs)))
	}
}
