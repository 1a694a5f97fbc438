package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestAppendString(t *testing.T) {
	for _, tt := range []struct{ name, s, want string }{
		{"empty", "", `""`},
		{"plain", "hello, world; <b>&'", `"hello, world; <b>&'"`},
		{"escapes", "\"\\/\b\f\n\r\t\x00\x1f\x7f", `"\"\\/\u0008\u000c\n\r\t\u0000\u001f` + "\x7f" + `"`},
		{"an escape at each place of eight", "1234567\n\n1234567\n12345678\n", `"1234567\n\n1234567\n12345678\n"`},
		{"other letters", "é世界😀\u2028\u2029\ufffd", "\"é世界😀\u2028\u2029\ufffd\""},
		{"not UTF-8", "a\xffb\xed\xa0\x80\n\xc3", "\"a\ufffdb\ufffd\ufffd\ufffd" + `\n` + "\ufffd\""},
		{"not UTF-8 beside what is", "é\xff\né\xf0\x9f", "\"é\ufffd" + `\n` + "é\ufffd\ufffd\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(AppendString([]byte("x"), tt.s)); got != "x"+tt.want {
				t.Errorf("%s, want %s", got[1:], tt.want)
			}
			if got := string(AppendString(nil, []byte(tt.s))); got != tt.want {
				t.Errorf("of bytes: %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\"\\\r\n\x00\x7f\u2028é\xff")
	f.Add("12345678é")
	f.Fuzz(func(t *testing.T, s string) {
		line := AppendString(nil, s)
		checkLine(t, line)
		var got string
		if err := json.Unmarshal(line, &got); err != nil || got != string([]rune(s)) {
			t.Fatalf("%q became %q, %v", s, got, err)
		}
	})
}

func TestAppendTime(t *testing.T) {
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), "2026-11-22T12:00:00.000Z"},
		{time.Date(2026, 11, 22, 1, 59, 59, 999_999_999, time.FixedZone("", 2*3600)), "2026-11-21T23:59:59.999Z"},
		{time.Time{}, "0001-01-01T00:00:00.000Z"},
		{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), "0000-01-01T00:00:00.000Z"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "9999-12-31T23:59:59.999Z"},
	} {
		if got := string(AppendTime(nil, tt.at)); got != tt.want {
			t.Errorf("%v is %s, want %s", tt.at, got, tt.want)
		}
	}
	// All days of four centuries, which is when the calendar begins anew, and some of those after.
	var got, want []byte
	for day := 0; day < 3_652_000; day++ {
		if day > 146_097 {
			day += 50
		}
		at := time.Date(0, 1, 1+day, 12, 34, 56, 789e6, time.UTC)
		if got, want = AppendTime(got[:0], at), at.AppendFormat(want[:0], "2006-01-02T15:04:05.000Z"); string(got) != string(want) {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}

func FuzzAppendTime(f *testing.F) {
	f.Add(int64(1795348800), int64(999_999_999))
	f.Fuzz(func(t *testing.T, sec, nsec int64) {
		at := time.Unix(sec%(1<<38), nsec%1e9).UTC()
		got := string(AppendTime(nil, at))
		if want := at.Format("2006-01-02T15:04:05.000Z"); got != want && at.Year() >= 0 && at.Year() <= 9999 {
			t.Fatalf("%s, want %s", got, want)
		}
		if _, err := time.Parse(time.RFC3339, got); err != nil {
			t.Fatal(err)
		}
	})
}

func TestShortReason(t *testing.T) {
	full := strings.Repeat("r", MaxReason)
	for _, tt := range []struct{ name, s, want string }{
		{"short", "é", "é"},
		{"full", full, full},
		{"long", full + "r", full},
		{"cut between characters", full[2:] + "é😀", full[2:] + "é"},
		{"cut before a character", full[1:] + "😀", full[1:]},
		{"not UTF-8", strings.Repeat("\x80", MaxReason+1), strings.Repeat("\x80", MaxReason-utf8.UTFMax)},
	} {
		if got := ShortReason(tt.s); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Any negative time is never, and a short one is not at once.
func TestMillis(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, 1500 * time.Millisecond: 1500, -1: -1, -time.Hour: -1, 1<<63 - 1: 9223372036855,
	} {
		if got := Millis(d); got != want {
			t.Errorf("%v is %d, want %d", d, got, want)
		}
	}
}
