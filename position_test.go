package longwire

import (
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/wire"
)

func TestPosition(t *testing.T) {
	at := time.Unix(1_795_000_000, 0)
	for _, tt := range []struct {
		name   string
		epoch  uint32
		number uint64
		want   Position
	}{
		{"before the first", 1, 0, "1-0-top2v4"},
		{"of an epoch", 1_000_000, 42, "lfls-42-top2v4"},
		{"the largest", 1<<32 - 1, 1<<63 - 1, "1z141z3-9223372036854775807-top2v4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := formatPosition(tt.epoch, tt.number, at)
			p, ok := parsePosition(string(got))
			if !ok || p.epoch != tt.epoch || p.number != tt.number || p.second != at.Unix() {
				t.Errorf("%s is read as %+v, %v", got, p, ok)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPositionOfSeveral(t *testing.T) {
	at := time.Unix(1_795_000_000, 0)
	m := &marks{0, 61, 62, 1<<59 - 1}
	for _, tt := range []struct {
		name string
		got  Position
		want Position
		in   []uint64 // of four partitions
	}{
		{"of the first", formatIn(1, 0, 42, at), "1-42-top2v4", []uint64{42, noNumber, noNumber, noNumber}},
		{"of another", formatIn(1, 3, 42, at), "1-3~42-top2v4", []uint64{noNumber, noNumber, noNumber, 42}},
		{"of all", formatMarks(1, m, 4, at), "1-0.z.10.gaCAoPNZQF-top2v4", []uint64{0, 61, 62, 1<<59 - 1}},
		{"of more than there are", formatMarks(1, m, 5, at), "1-0.z.10.gaCAoPNZQF.0-top2v4", []uint64{noNumber, noNumber, noNumber, noNumber}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, ok := parsePosition(string(tt.got))
			if !ok || p.epoch != 1 || p.second != at.Unix() || p.format() != tt.got {
				t.Fatalf("%s is read as %+v, %v", tt.got, p, ok)
			}
			for i, want := range tt.in {
				if got := p.in(i, 4); got != want {
					t.Errorf("partition %d has %d, want %d", i, got, want)
				}
			}
			if tt.got != tt.want {
				t.Errorf("got %s, want %s", tt.got, tt.want)
			}
		})
	}
}

// A position of as many partitions as there can be, each with fifty billion publications, fits.
func TestPositionFits(t *testing.T) {
	var m marks
	for i := range m {
		m[i] = 50_000_000_000
	}
	if p := formatMarks(1<<32-1, &m, MaxPartitions, time.Unix(1<<32, 0)); len(p) > wire.MaxPosition {
		t.Errorf("%s has %d bytes", p, len(p))
	}
}

// What is read is what would be written: so a position has one form, and fits
// into a header, an id and an address without an escape.
func FuzzPosition(f *testing.F) {
	for _, s := range []string{"", "1-2-3", "k3f9-42-t3k1c0", "K3F9-42-0", "01-2-3", "1-+2-3", "1--2-3", "-1-2-3", "1-2", "1-2-3-4", "zzzzzzzz-1-1", "1-3~42-t", "1-0~42-t", "1-16~1-t", "1-1A.0.b-t", "1-.-t", "1-0.00-t", "1-zzzzzzzzzzz.1-t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parsePosition(s)
		if !ok {
			return
		}
		if again := p.format(); string(again) != s {
			t.Errorf("%q is read, and written %q", s, again)
		}
		if len(s) > wire.MaxPosition || strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-.~") != "" {
			t.Errorf("%q is taken for a position", s)
		}
	})
}

func TestParseSince(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want since
		ok   bool
	}{
		{"", since{}, true},
		{"now", since{}, true},
		{"all", since{all: true}, true},
		{"last:1", since{last: 1}, true},
		{"last:1000000", since{last: 1_000_000}, true},
		{"last:1000001", since{}, false},
		{"last:0", since{}, false},
		{"last:-1", since{}, false},
		{"last:", since{}, false},
		{"10m", since{age: 10 * time.Minute}, true},
		{"1h30m", since{age: 90 * time.Minute}, true},
		{"0s", since{}, false},
		{"-5m", since{}, false},
		{"5", since{}, false},
		{"1-2-3", since{told: true, at: position{epoch: 1, number: 2, second: 3}}, true},
		{"1-2", since{}, false},
		{"ALL", since{}, false},
		{" all", since{}, false},
	} {
		got, err := parseSince(tt.in)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%q is read as %+v, %v", tt.in, got, err)
		}
		if err != nil && wire.CodeOf(err) != wire.CodeBadRequest {
			t.Errorf("%q: %v", tt.in, err)
		}
	}
}

func FuzzSince(f *testing.F) {
	for _, s := range []string{"now", "all", "last:3", "10m", "1-2-3", "last:99999999999999999999", "1e9h", "١٠m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		from, err := parseSince(s)
		if err != nil {
			return
		}
		set := 0
		for _, is := range []bool{from.all, from.last > 0, from.age > 0, from.told} {
			if is {
				set++
			}
		}
		if set > 1 || set == 0 && !from.now() {
			t.Errorf("%q is read as %+v", s, from)
		}
		var r Range
		from.fill(&r, time.Unix(1_795_000_000, 0), 1)
		if from.last > maxLast {
			t.Errorf("%q asks for %d", s, from.last)
		}
	})
}

func TestInbox(t *testing.T) {
	for user, want := range map[string]string{
		"ann":                           "@ann",
		"Ann-1_b":                       "@Ann-1_b",
		"ann@example.com":               "@ann=40example=2Ecom",
		"ä":                             "@=C3=A4",
		strings.Repeat("a", 63):         "@" + strings.Repeat("a", 63),
		strings.Repeat("a", 64):         "@=h",
		strings.Repeat("=", 22) + "xyz": "@=h",
	} {
		got := Inbox(user)
		if !strings.HasPrefix(got, want[:min(len(want), 3)]) || !strings.HasPrefix(want, "@=h") && got != want {
			t.Errorf("the inbox of %q is %s, want %s", user, got, want)
		}
		if err := wire.CheckChannel(got); err != nil {
			t.Errorf("the inbox of %q: %v", user, err)
		}
	}
}
