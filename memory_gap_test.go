package longwire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestMemoryGap(t *testing.T) {
	const foreign = 1 << 40 // not a number: another epoch
	type look struct {
		channels string
		after    uint64
		want     string
	}
	for _, tt := range []struct {
		name  string
		o     MemoryOptions
		fill  func(t *testing.T, m *memory)
		looks []look
	}{
		{"nothing was ever published", MemoryOptions{}, func(*testing.T, *memory) {}, []look{
			{"a", 0, ""},
			{">", 0, ""},
			{"a", 1, "a!0"},
			{"a >", 1, "a!0 >!0"},
			{"a", foreign, "a!0"},
		}},
		{"all is kept", MemoryOptions{}, func(t *testing.T, m *memory) { memPut(t, m, "a b a") }, []look{
			{"a", 0, "a1 a3"},
			{"a", 3, ""},
			{"a", 4, "a!0 a1 a3"},
			{"*", 4, "*!0 a1 b2 a3"},
			{"a b", foreign, "a!0 b!0 a1 b2 a3"},
			{"none", foreign, "none!0"},
		}},
		{"count", MemoryOptions{Count: 2}, func(t *testing.T, m *memory) { memPut(t, m, "a a b a a a b c") }, []look{
			{"a", 0, "a!2 a4 a5 a6"},
			{"a", 1, "a!2 a4 a5 a6"},
			{"a", 2, "a4 a5 a6"}, // its publication is gone, but nothing after it
			{"a", 3, "a4 a5 a6"},
			{"a", 4, "a5 a6"},
			{"b", 0, "b3 b7"},
			{"a b", 1, "a!2 b3 a4 a5 a6 b7"},
			{"*", 1, "*!2 b3 a4 a5 a6 b7 c8"},
			{"*", 2, "b3 a4 a5 a6 b7 c8"},
			{"a *", 1, "a!2 *!2 b3 a4 a5 a6 b7 c8"},
			{"a b", foreign, "a!2 b!0 b3 a4 a5 a6 b7"},
		}},
		{"one channel loses what is newer than another's", MemoryOptions{Count: 1}, func(t *testing.T, m *memory) { memPut(t, m, "a.1 b a.2 a.2 a.2 a.2 c a.1") }, []look{
			{"a.*", 0, "a.*!0 a.11 a.25 a.26 a.18"},
			{"a.*", 1, "a.*!4 a.25 a.26 a.18"},
			{"a.2 >", 2, "a.2!4 >!4 a.25 a.26 c7 a.18"},
			{"b c.* a.*", 0, "a.*!0 a.11 b2 a.25 a.26 a.18"},
			{"a.*", foreign, "a.*!0 a.11 a.25 a.26 a.18"},
			{"a.*", 4, "a.25 a.26 a.18"},
		}},
		{"age", MemoryOptions{Age: time.Hour}, func(t *testing.T, m *memory) {
			memPut(t, m, "a b a")
			time.Sleep(40 * time.Minute)
			memPut(t, m, "b")
			time.Sleep(20 * time.Minute)
		}, []look{
			{"a", 0, "a!3"},
			{"a", 2, "a!3"},
			{"a", 3, ""},
			{"b", 1, "b!2 b4"},
			{"b", 2, "b4"},
			{"*", 2, "*!3 b4"},
			{"*", 3, "b4"},
		}},
		{"nothing happened for long", MemoryOptions{Age: time.Hour}, func(t *testing.T, m *memory) {
			memPut(t, m, "a b a")
			time.Sleep(100 * time.Hour)
		}, []look{
			{"a", 3, ""},
			{"*", 3, ""},
			{"a", 2, "a!3"},
		}},
		{"a quiet channel among busy ones", MemoryOptions{Count: 2}, func(t *testing.T, m *memory) {
			memPut(t, m, "quiet")
			time.Sleep(2 * time.Hour)
			for range 300 {
				memPut(t, m, "a b a")
			}
		}, []look{
			{"quiet", 1, ""},
			{"quiet", 500, ""},
			{"quiet", 0, "quiet1"},
			{"quiet *", 500, "*!893 b894 b897 a898 a899 b900 a901"},
			{"*", 896, "b897 a898 a899 b900 a901"},
		}},
		{"bytes", MemoryOptions{Bytes: 4000}, func(t *testing.T, m *memory) {
			for c := range strings.FieldsSeq("a b a a b") {
				m.publish(&Publication{Channel: c, Data: make([]byte, 700)})
			}
		}, []look{
			{"a", 0, "a!1 a3 a4"},
			{"b", 0, "b!2 b5"},
			{"a b", 1, "b!2 a3 a4 b5"},
			{"*", 1, "*!2 a3 a4 b5"},
			{"*", 2, "a3 a4 b5"},
		}},
		{"no history", MemoryOptions{Count: -1}, func(t *testing.T, m *memory) { memPut(t, m, "a b a") }, []look{
			{"a", 0, ""},
			{"*", 1, ""},
			{"a", foreign, ""},
		}},
		{"all forgotten", MemoryOptions{}, func(t *testing.T, m *memory) {
			memPut(t, m, "a b a")
			m.Forget(t.Context(), "a")
			m.Forget(t.Context(), "b")
		}, []look{
			{"a", 3, ""},
			{"a", 2, "a!3"},
			{"b", 2, ""},
			{"b", 1, "b!2"},
			{"c", 0, ""},
			{"*", 3, ""},
			{"*", 2, "*!3"},
			{"b.*", 0, ""},
			{"a", foreign, "a!3"},
		}},
		{"all forgotten, long ago", MemoryOptions{Age: time.Hour}, func(t *testing.T, m *memory) {
			memPut(t, m, "a b a")
			m.Forget(t.Context(), "a")
			m.Forget(t.Context(), "b")
			time.Sleep(time.Hour)
			memPut(t, m, "b")
			m.Forget(t.Context(), "b")
		}, []look{
			{"a", 3, ""},
			{"a", 2, "a!3"},
			{"b", 3, "b!4"},
			{"c", 3, ""},
		}},
		{"everything was forgotten once", MemoryOptions{}, func(t *testing.T, m *memory) {
			memPut(t, m, "a")
			m.Forget(t.Context(), "a")
			memPut(t, m, "b")
		}, []look{
			{"*", 0, "*!1 b2"},
			{"*", 1, "b2"},
		}},
		{"what was forgotten and came back", MemoryOptions{Count: 1, Age: time.Hour}, func(t *testing.T, m *memory) {
			memPut(t, m, "a a a b b b")
			time.Sleep(2 * time.Hour)
			memPut(t, m, "a")
		}, []look{
			{"a", 0, "a!6 a7"},
			{"a", 6, "a7"},
			{"b", 5, "b!6"},
			{"b", 6, ""},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			memTest(t, &tt.o, func(t *testing.T, m *memory) {
				tt.fill(t, m)
				for _, l := range tt.looks {
					r := &Range{Channels: strings.Fields(l.channels), Epoch: m.epoch, After: l.after}
					if l.after == foreign {
						r.Epoch, r.After = m.epoch+1|1, 1
					}
					if got := memHistory(t, m, r); got != l.want {
						t.Errorf("%s after %d: %q, want %q", l.channels, l.after, got, l.want)
					}
				}
				// What does not begin at a position has no gap.
				for _, r := range []Range{{}, {Last: 1}, {From: time.Unix(1e9, 0)}} {
					r.Channels = []string{"a", "b", ">", "a.*"}
					if got := memHistory(t, m, &r); strings.Contains(got, "!") {
						t.Errorf("a gap without a position: %q", got)
					}
				}
			})
		})
	}
}

// TestMemoryOvertaken reads slower than history goes: between two pages
// publications are lost.
func TestMemoryOvertaken(t *testing.T) {
	const page, kept = memPage, 2 * memPage
	for _, tt := range []struct {
		name     string
		channels string
		r        Range
		lose     func(t *testing.T, m *memory)
		want     string
	}{
		{"count", "a", Range{}, func(t *testing.T, m *memory) {
			for range page + 10 {
				memPut(t, m, "a")
			}
		}, fmt.Sprint("a!", page+10)},
		{"count, pattern", "*", Range{}, func(t *testing.T, m *memory) {
			for range page + 10 {
				memPut(t, m, "a")
			}
		}, fmt.Sprint("*!", page+10)},
		{"all of it is lost", "*", Range{}, func(t *testing.T, m *memory) {
			for range 3 * page {
				memPut(t, m, "a")
			}
		}, fmt.Sprint("*!", kept)},
		{"forgotten", "a *", Range{}, func(t *testing.T, m *memory) { m.Forget(t.Context(), "a") }, fmt.Sprintf("a!%d *!%[1]d", kept)},
		{"age", "*", Range{}, func(t *testing.T, m *memory) { time.Sleep(memAge) }, fmt.Sprint("*!", kept)},
		{"age, by name", "a", Range{}, func(t *testing.T, m *memory) { time.Sleep(memAge) }, fmt.Sprint("a!", kept)},
		{"last", "a", Range{Last: page + 20}, func(t *testing.T, m *memory) { m.Forget(t.Context(), "a") }, fmt.Sprint("a!", kept)},
		{"last of pattern", "*", Range{Last: page + 20}, func(t *testing.T, m *memory) { m.Forget(t.Context(), "a") }, fmt.Sprint("*!", kept)},
		{"last of pattern, nothing lost", "*", Range{Last: kept - 5}, func(t *testing.T, m *memory) {
			for range page + 1 {
				memPut(t, m, "a")
			}
		}, ""},
		{"a gap before", "a *", Range{Epoch: 1, After: 7}, func(t *testing.T, m *memory) {
			for range page + 10 {
				memPut(t, m, "a")
			}
		}, fmt.Sprintf("a!0 *!0 a!%d *!%[1]d", page+10)},
		{"another's loss", "a a.*", Range{}, func(t *testing.T, m *memory) {
			for range kept + 1 {
				memPut(t, m, "b")
			}
		}, ""},
		{"nothing that was not read", "*", Range{}, func(t *testing.T, m *memory) {
			for range page {
				memPut(t, m, "a")
			}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			memTest(t, &MemoryOptions{Count: kept - 1}, func(t *testing.T, m *memory) {
				for range kept {
					memPut(t, m, "a")
				}
				var gaps []string
				n, last := 0, uint64(0)
				r := tt.r
				r.Channels = strings.Fields(tt.channels)
				for p, err := range m.Read(t.Context(), &r) {
					if g, ok := errors.AsType[*GapError](err); ok {
						gaps = append(gaps, fmt.Sprintf("%s!%d", g.Channel, g.After))
						last = max(last, g.After)
						continue
					}
					if err != nil || n > 0 && p.Number != last+1 || p.Number > kept {
						t.Fatalf("%v, %v after number %d", p, err, last)
					}
					last = p.Number
					if n++; n == 1 {
						tt.lose(t, m)
					}
				}
				if got := strings.Join(gaps, " "); got != tt.want || last < kept {
					t.Errorf("gaps %q, want %q; the end is %d, want %d", got, tt.want, last, kept)
				}
			})
		})
	}
}
