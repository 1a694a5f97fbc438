package frame

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUTF8(t *testing.T) {
	for _, s := range goodText {
		for cut := range len(s) + 1 {
			var u UTF8
			if !u.Write([]byte(s[:cut])) || !u.Write([]byte(s[cut:])) || !u.Done() {
				t.Errorf("%+q cut at %d refused", s, cut)
			}
		}
	}
	for _, s := range badText {
		shown := s.shown
		if shown == 0 {
			shown = len(s.bytes) + 1
		}
		for end := range len(s.bytes) + 1 {
			for cut := range end + 1 {
				var u UTF8
				u.Write([]byte(s.bytes[:cut]))
				got := u.Write([]byte(s.bytes[cut:end]))
				if want := end < shown; got != want {
					t.Errorf("%s: %d bytes, cut at %d: got %t, want %t", s.name, end, cut, got, want)
				}
			}
		}
	}
}

func TestUTF8StaysFailed(t *testing.T) {
	for _, b := range []byte{0x00, 'a', 0x80, 0xBF, 0xC2, 0xFF} {
		var u UTF8
		u.Write([]byte{0xFF})
		if u.Write([]byte{b}) || u.Write(nil) || u.Done() {
			t.Errorf("valid again after %#x", b)
		}
	}
}

// TestUTF8Pairs tries every pair of bytes, which covers every bound in the table of sequences.
func TestUTF8Pairs(t *testing.T) {
	for i := range 1 << 16 {
		p := []byte{byte(i >> 8), byte(i)}
		var u UTF8
		u.Write(p[:1])
		if got, want := u.Write(p[1:]), canContinue(p); got != want {
			t.Fatalf("%x: got %t, want %t", p, got, want)
		}
	}
}

func FuzzUTF8(f *testing.F) {
	for _, s := range goodText {
		f.Add([]byte(s), uint16(1), uint16(2))
	}
	for _, s := range badText {
		f.Add([]byte(s.bytes), uint16(s.shown), uint16(1))
	}
	f.Fuzz(func(t *testing.T, p []byte, at1, at2 uint16) {
		var u UTF8
		rest := p
		for _, at := range []uint16{at1, at2} {
			cut := int(at) % (len(rest) + 1)
			good := u.Write(rest[:cut])
			rest = rest[cut:]
			if seen := p[:len(p)-len(rest)]; good != canContinue(seen) {
				t.Fatalf("after %x: %t", seen, good)
			}
		}
		if good := u.Write(rest); good != canContinue(p) {
			t.Fatalf("after all of %x: %t", p, good)
		}
		if u.Done() != utf8.Valid(p) {
			t.Fatalf("%x: done %t", p, u.Done())
		}
	})
}

func BenchmarkUTF8(b *testing.B) {
	for _, text := range []struct{ name, s string }{
		{"ascii", strings.Repeat("a", 4096)},
		{"greek", strings.Repeat("κόσμε ", 400)},
	} {
		for _, piece := range []int{64, 1500} {
			b.Run(fmt.Sprintf("%s/pieces of %d", text.name, piece), func(b *testing.B) {
				all := []byte(text.s)
				b.SetBytes(int64(len(all)))
				for b.Loop() {
					var u UTF8
					for p := all; len(p) > 0; {
						n := min(piece, len(p))
						if !u.Write(p[:n]) {
							b.Fatal("refused")
						}
						p = p[n:]
					}
				}
			})
		}
	}
}
