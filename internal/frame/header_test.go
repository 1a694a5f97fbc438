package frame

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

func TestAppendHeader(t *testing.T) {
	tests := []struct {
		name string
		h    Header
		want string
	}{
		{"empty", Header{Fin: true, Op: Text}, "\x81\x00"},
		{"fragment", Header{Op: Binary, Length: 5}, "\x02\x05"},
		{"longest in 7 bits", Header{Fin: true, Op: Ping, Length: 125}, "\x89\x7D"},
		{"shortest in 16 bits", Header{Fin: true, Op: Text, Length: 126}, "\x81\x7E\x00\x7E"},
		{"longest in 16 bits", Header{Fin: true, Op: Text, Length: 65535}, "\x81\x7E\xFF\xFF"},
		{"shortest in 64 bits", Header{Fin: true, Op: Text, Length: 65536}, "\x81\x7F\x00\x00\x00\x00\x00\x01\x00\x00"},
		{"longest", Header{Fin: true, Op: Text, Length: math.MaxInt64}, "\x81\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"},
		{"masked", Header{Fin: true, Op: Text, Masked: true, Mask: 0x04030201, Length: 5}, "\x81\x85\x01\x02\x03\x04"},
		{"compressed", Header{Fin: true, RSV1: true, Op: Text, Length: 1}, "\xC1\x01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendHeader([]byte("before"), tt.h)
			if want := "before" + tt.want; string(got) != want {
				t.Fatalf("got %x, want %x", got, want)
			}
			h, n, err := ParseHeader([]byte(tt.want + "after"))
			if h != tt.h || n != len(tt.want) || err != nil {
				t.Errorf("parsed back: %+v, %d, %v", h, n, err)
			}
			for short := range len(tt.want) {
				if h, n, err := ParseHeader([]byte(tt.want[:short])); h != (Header{}) || n != 0 || err != nil {
					t.Errorf("%d bytes of it: %+v, %d, %v", short, h, n, err)
				}
			}
		})
	}
}

// TestSpecExamples has the bytes of RFC 6455, 5.7.
func TestSpecExamples(t *testing.T) {
	hello := []byte("Hello")
	if got, want := AppendMessage(nil, Text, hello), "\x81\x05Hello"; string(got) != want {
		t.Errorf("unmasked: got %x, want %x", got, want)
	}
	key := uint32(0x3D21FA37)
	if got, want := AppendMasked(nil, Text, key, hello), "\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58"; string(got) != want {
		t.Errorf("masked: got %x, want %x", got, want)
	}
	if string(hello) != "Hello" {
		t.Errorf("AppendMasked changed its payload to %q", hello)
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, c := range slices.Concat(framingCases(), lengthCases(), reservedCases()) {
		for _, fromClient := range []bool{true, false} {
			stream := encodeAll(c.in, fromClient)
			f.Add(stream[:min(len(stream), 16)])
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, n, err := ParseHeader(p)
		switch {
		case err != nil:
			if h != (Header{}) || n != 0 || err.(*Error).Code != CloseProtocol {
				t.Fatalf("with error %v: %+v, %d", err, h, n)
			}
		case n == 0:
			if len(p) >= MaxHeader {
				t.Fatalf("%x is not enough for a header", p)
			}
		case !bytes.Equal(AppendHeader(nil, h), p[:n]):
			t.Fatalf("%x parsed as %+v", p[:n], h)
		}
		// The verdict on more bytes never takes back the one on fewer.
		for short := range min(len(p), MaxHeader) {
			h2, n2, err2 := ParseHeader(p[:short])
			if n2 > 0 && (h2 != h || n2 != n) || err2 != nil && err2 != err {
				t.Fatalf("%d bytes: %+v, %d, %v; all: %+v, %d, %v", short, h2, n2, err2, h, n, err)
			}
		}
	})
}

func TestAppendFragments(t *testing.T) {
	for _, tt := range []struct {
		name, payload string
		size, frames  int
	}{
		{"empty", "", 3, 1},
		{"fits", "abc", 3, 1},
		{"one over", "abcd", 3, 2},
		{"many", "abcdefghij", 3, 4},
		{"a multiple", "abcdef", 3, 2},
		{"byte by byte", "äöü", 1, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := AppendFragments([]byte("x"), Text, []byte(tt.payload), tt.size)[1:]
			frames := 0
			for p := b; len(p) > 0; frames++ {
				h, n, err := ParseHeader(p)
				if err != nil || n == 0 || h.Length > int64(tt.size) || h.Fin != (frames == tt.frames-1) || (h.Op == Text) != (frames == 0) {
					t.Fatalf("frame %d: %+v, %v", frames, h, err)
				}
				p = p[n+int(h.Length):]
			}
			if frames != tt.frames {
				t.Errorf("%d frames, want %d", frames, tt.frames)
			}
			r := &Reader{Config: &Config{}}
			var got []byte
			for len(b) > 0 {
				ev, n, err := r.Next(b)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, ev.Data...)
				b = b[n:]
			}
			if string(got) != tt.payload {
				t.Errorf("read %q, want %q", got, tt.payload)
			}
		})
	}
}
