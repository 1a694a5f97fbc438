package longwire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/wire"
)

func TestMemoryRead(t *testing.T) {
	memTest(t, &MemoryOptions{Count: 3}, func(t *testing.T, m *memory) {
		// a1 is gone.
		memPut(t, m, "a a b.x a")
		time.Sleep(time.Minute)
		memPut(t, m, "b.y a b.x a b.x.z")
		now, e := time.Now(), m.epoch
		for _, tt := range []struct {
			channels string
			r        Range
			want     string
		}{
			{"a", Range{}, "a2 a4 a6 a8"},
			{"none", Range{}, ""},
			{"", Range{}, ""},
			{"a b.x", Range{}, "a2 b.x3 a4 a6 b.x7 a8"},
			{"b.x a a", Range{}, "a2 b.x3 a4 a6 b.x7 a8"},
			{"a b.x none b.y b.x.z", Range{}, "a2 b.x3 a4 b.y5 a6 b.x7 a8 b.x.z9"},
			{"b.*", Range{}, "b.x3 b.y5 b.x7"},
			{"b.>", Range{}, "b.x3 b.y5 b.x7 b.x.z9"},
			{"*.x b.> a", Range{}, "a2 b.x3 a4 b.y5 a6 b.x7 a8 b.x.z9"},
			{"b.x b.y *.x b.>  none", Range{}, "b.x3 b.y5 b.x7 b.x.z9"},
			{"*", Range{}, "a2 a4 a6 a8"},

			{"a", Range{Epoch: e, After: 2}, "a4 a6 a8"},
			{"a", Range{Epoch: e, After: 3}, "a4 a6 a8"},
			{"a", Range{Epoch: e, After: 8}, ""},
			{"a", Range{Epoch: e, After: 9}, ""},
			{"a", Range{After: 6}, "a8"},
			{"a", Range{After: 60}, ""},
			{">", Range{Epoch: e, After: 6}, "b.x7 a8 b.x.z9"},
			{">", Range{Epoch: e, After: 9}, ""},
			{"a b.x", Range{Epoch: e, After: 4}, "a6 b.x7 a8"},

			{"a", Range{Last: 1}, "a8"},
			{"a", Range{Last: 9}, "a2 a4 a6 a8"},
			{"a b.x", Range{Last: 1}, "b.x7 a8"},
			{"b.>", Range{Last: 1}, "b.y5 b.x7 b.x.z9"},
			{"a b.x *.*", Range{Last: 2}, "b.x3 b.y5 a6 b.x7 a8"},

			{"a", Range{From: now}, "a6 a8"},
			{"a", Range{From: now.Add(1)}, ""},
			{"a", Range{From: now.Add(-time.Minute)}, "a2 a4 a6 a8"},
			{"a", Range{From: now.Add(-time.Minute + 1)}, "a6 a8"},
			{"a", Range{From: now.Add(-200 * 365 * 24 * time.Hour)}, "a2 a4 a6 a8"},
			{">", Range{From: now}, "b.y5 a6 b.x7 a8 b.x.z9"},
			{"b.y b.x", Range{From: now.Add(-time.Second)}, "b.y5 b.x7"},

			{"a", Range{Limit: 2}, "a2 a4"},
			{"a b.x", Range{Limit: 2}, "a2 b.x3"},
			{">", Range{Limit: 3, Epoch: e, After: 3}, "a4 b.y5 a6"},
			{"*.*", Range{Last: 1, Limit: 1}, "b.y5"},
			{"a", Range{From: now, Limit: 1}, "a6"},
		} {
			r := tt.r
			r.Channels = strings.Fields(tt.channels)
			if got := memHistory(t, m, &r); got != tt.want {
				t.Errorf("%s %+v: %q, want %q", tt.channels, tt.r, got, tt.want)
			}
		}
	})
}

// TestMemoryReadByTime has publications whose times are not in order.
func TestMemoryReadByTime(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		now := time.Now()
		for i, ahead := range []time.Duration{0, time.Hour, -time.Hour, time.Minute, -time.Minute} {
			time.Sleep(time.Duration(i) * time.Second)
			m.publish(&Publication{Channel: "a", Time: now.Add(ahead)})
		}
		for _, name := range []string{"a", "*"} {
			for _, tt := range []struct {
				from time.Duration
				want string
			}{
				{-2 * time.Hour, "a1 a2 a3 a4 a5"},
				{-time.Minute, "a1 a2 a4 a5"},
				{30 * time.Second, "a2 a4"},
				{time.Hour, "a2"},
			} {
				if got := memHistory(t, m, &Range{Channels: []string{name}, From: now.Add(tt.from)}); got != tt.want {
					t.Errorf("%s from %v: %q, want %q", name, tt.from, got, tt.want)
				}
			}
		}
		for range memHold {
			memPut(t, m, "a")
		}
		m.publish(&Publication{Channel: "a", Time: now.Add(2 * time.Hour)})
		for _, name := range []string{"a", "*"} {
			if got, want := memHistory(t, m, &Range{Channels: []string{name}, From: now.Add(time.Hour)}), fmt.Sprint("a2 a", 6+memHold); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	})
}

// TestMemoryReadMuch reads many pages, among many channels.
func TestMemoryReadMuch(t *testing.T) {
	const channels, each = 64, 40
	memTest(t, nil, func(t *testing.T, m *memory) {
		var names []string
		for i := range channels {
			names = append(names, fmt.Sprint("c.", i))
		}
		for i := range channels * each {
			memPut(t, m, names[i*7%channels])
			time.Sleep(time.Millisecond)
		}
		for _, tt := range []struct {
			name     string
			channels []string
			r        Range
			want     int
		}{
			{"pattern", []string{"c.*"}, Range{}, channels * each},
			{"names", names, Range{}, channels * each},
			{"names and patterns", append([]string{"d", "d.*", "e.*", "*.3", "c.3"}, names[:9]...), Range{}, 9 * each},
			{"after", []string{"c.*"}, Range{Epoch: m.epoch, After: 700}, channels*each - 700},
			{"last of pattern", []string{"c.*"}, Range{Last: 13}, channels * 13},
			{"last of names", names, Range{Last: 13}, channels * 13},
			{"from", []string{"c.*"}, Range{From: time.Now().Add(-500 * time.Millisecond)}, 500},
			{"from, names", names, Range{From: time.Now().Add(-500 * time.Millisecond)}, 500},
			{"limit", []string{"c.*"}, Range{Limit: 2 * memPage}, 2 * memPage},
			{"nothing", []string{"d.*"}, Range{}, 0},
		} {
			r, n, last := tt.r, 0, uint64(0)
			r.Channels = tt.channels
			for p, err := range m.Read(t.Context(), &r) {
				if err != nil || p.Number <= last {
					t.Fatalf("%s: %v, %v after number %d", tt.name, p, err, last)
				}
				last = p.Number
				n++
			}
			if n != tt.want {
				t.Errorf("%s: %d publications, want %d", tt.name, n, tt.want)
			}
		}
	})
}

// TestMemoryReadEnds publishes faster than it reads.
func TestMemoryReadEnds(t *testing.T) {
	for _, name := range []string{"a", "*"} {
		memTest(t, nil, func(t *testing.T, m *memory) {
			for range 2 * memPage {
				memPut(t, m, "a")
			}
			n := 0
			for _, err := range m.Read(t.Context(), &Range{Channels: []string{name}}) {
				if err != nil {
					break // history went faster than the read, see TestMemoryOvertaken
				}
				n++
				memPut(t, m, "a a")
			}
			if n > 2*memPage {
				t.Errorf("%s: %d publications", name, n)
			}
		})
	}
}

func TestMemoryReadStops(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		for range 3 * memPage {
			memPut(t, m, "a")
		}
		for _, name := range []string{"a", "*"} {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n, last := 0, error(nil)
			for _, err := range m.Read(ctx, &Range{Channels: []string{name}}) {
				if last = err; err == nil {
					n++
				}
				cancel()
			}
			if n != memPage || !errors.Is(last, context.Canceled) {
				t.Errorf("%s: %d publications and %v after cancelling", name, n, last)
			}
		}
		for range m.Read(t.Context(), &Range{Channels: []string{"a"}}) {
			break
		}
		for p, err := range m.Read(t.Context(), &Range{Partition: 1, Channels: []string{"a"}}) {
			if p != nil || wire.CodeOf(err) != wire.CodeBadRequest {
				t.Errorf("partition 1 has %v, %v", p, err)
			}
		}
	})
}

// TestMemoryReadAgain walks one iterator twice.
func TestMemoryReadAgain(t *testing.T) {
	memTest(t, nil, func(t *testing.T, m *memory) {
		walk := m.Read(t.Context(), &Range{Channels: []string{"a"}, Epoch: 1 ^ m.epoch})
		for round := range 3 {
			memPut(t, m, "a")
			n := 0
			for range walk {
				n++
			}
			if want := round + 2; n != want { // with the gap
				t.Errorf("round %d: %d, want %d", round, n, want)
			}
		}
	})
}
