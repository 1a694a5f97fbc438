package tcp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// cutAll feeds stream to f in pieces, as a link does, and returns the messages.
func cutAll(f *Framing, stream []byte, max int, piece func(left int) int) (got []string, rest []byte, err error) {
	var p []byte
	seen := 0
	for len(stream) > 0 {
		n := min(piece(len(stream)), len(stream))
		p = append(p, stream[:n]...)
		stream = stream[n:]
		for len(p) > 0 {
			body, n, err := f.Next(p, seen, max)
			if err != nil {
				return got, p, err
			}
			if n == 0 {
				seen = len(p)
				break
			}
			if body != nil {
				got = append(got, string(body))
			}
			p, seen = p[n:], 0
		}
	}
	return got, p, nil
}

func whole(left int) int { return left }
func bytewise(int) int   { return 1 }

func TestFramings(t *testing.T) {
	tooLarge := wire.CodeTooLarge
	for _, tt := range []struct {
		name   string
		f      *Framing
		stream string
		want   []string
		rest   string
		err    wire.Code
	}{
		{"lines", Lines, "a\nbc\n", []string{"a", "bc"}, "", ""},
		{"lines, carriage return dropped", Lines, "a\r\n\r\n", []string{"a", ""}, "", ""},
		{"lines, carriage return inside kept", Lines, "a\rb\n", []string{"a\rb"}, "", ""},
		{"lines, empty", Lines, "\n\n", []string{"", ""}, "", ""},
		{"lines, last without end", Lines, "a\nb", []string{"a"}, "b", ""},
		{"lines, longest", Lines, "12345678\n", []string{"12345678"}, "", ""},
		{"lines, longest with return", Lines, "12345678\r\n", []string{"12345678"}, "", ""},
		{"lines, too long", Lines, "123456789\n", nil, "", tooLarge},
		{"lines, too long before its end", Lines, "1234567890", nil, "", tooLarge},
		{"frames", Frames, "{}\n{1}\r\n", []string{"{}", "{1}"}, "", ""},
		{"frames, white space", Frames, "\n \t\r\n{}\n\r\n", []string{"{}"}, "", ""},
		{"frames, no JSON", Frames, "GET it\nLists\n", []string{"GET it", "Lists"}, "", ""},
		{"frames, too long", Frames, "{2345678}", nil, "{2345678}", ""},
		{"frames, too long before its end", Frames, "{23456789}", nil, "", tooLarge},
		{"frames, TLS", Frames, "\x16\x03\x01", nil, "", wire.CodeWrongProtocol},
		{"frames, HTTP", Frames, "{}\nX HTTP/\n", []string{"{}"}, "", wire.CodeWrongProtocol},
		{"frames, part of HTTP", Frames, "X HTTP/", nil, "X HTTP/", ""},
		{"frames, the binary form", Frames, "LW1\n", nil, "", wire.CodeUnsupportedData},
		{"frames, part of the binary form", Frames, "L", nil, "L", ""},
		{"uint32", Uint32, "\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x02bc", []string{"a", "", "bc"}, "", ""},
		{"uint32, part of a length", Uint32, "\x00\x00", nil, "\x00\x00", ""},
		{"uint32, part of a message", Uint32, "\x00\x00\x00\x02b", nil, "\x00\x00\x00\x02b", ""},
		{"uint32, longest", Uint32, "\x00\x00\x00\x0812345678", []string{"12345678"}, "", ""},
		{"uint32, too long", Uint32, "\x00\x00\x00\x09", nil, "", tooLarge},
		{"uint32, longest length", Uint32, "\xff\xff\xff\xff", nil, "", tooLarge},
		{"varint", Varint, "\x01a\x00\x02bc", []string{"a", "", "bc"}, "", ""},
		{"varint, not the shortest", Varint, "\x81\x00a", []string{"a"}, "", ""},
		{"varint, part of a length", Varint, "\x80\x80", nil, "\x80\x80", ""},
		{"varint, too long", Varint, "\x09", nil, "", tooLarge},
		{"varint, 2^63", Varint, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", nil, "", tooLarge},
		{"varint, endless", Varint, strings.Repeat("\x80", 11), nil, "", wire.CodeBadFrame},
		{"varint, over 64 bits", Varint, strings.Repeat("\xff", 9) + "\x7f", nil, "", wire.CodeBadFrame},
	} {
		for name, piece := range map[string]func(int) int{"whole": whole, "byte by byte": bytewise} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				got, rest, err := cutAll(tt.f, []byte(tt.stream), 8, piece)
				if !slices.Equal(got, tt.want) || wire.CodeOf(err) != tt.err {
					t.Fatalf("got %q, %v; want %q, %q", got, err, tt.want, tt.err)
				}
				if tt.err == "" && string(rest) != tt.rest {
					t.Fatalf("left %q, want %q", rest, tt.rest)
				}
			})
		}
	}
}

func TestRawSplitsAtTheLimit(t *testing.T) {
	got, rest, err := cutAll(Raw, []byte("1234567890"), 8, whole)
	if err != nil || len(rest) > 0 || !slices.Equal(got, []string{"12345678", "90"}) {
		t.Fatal(got, rest, err)
	}
}

func FuzzFramings(f *testing.F) {
	f.Add([]byte("a\nb\r\n"), uint8(0), uint8(3))
	f.Add([]byte("\x00\x00\x00\x01a"), uint8(1), uint8(1))
	f.Add([]byte("\x01a\x80"), uint8(2), uint8(2))
	f.Add([]byte("\n{}\nX HTTP/1.1\r\n"), uint8(3), uint8(2))
	all := []*Framing{Lines, Uint32, Varint, Frames}
	f.Fuzz(func(t *testing.T, stream []byte, which, size uint8) {
		fr := all[int(which)%len(all)]
		const max = 100
		want, rest1, err1 := cutAll(fr, stream, max, whole)
		got, rest2, err2 := cutAll(fr, stream, max, func(int) int { return int(size)%7 + 1 })
		if !slices.Equal(got, want) || (err1 == nil) != (err2 == nil) {
			t.Fatalf("%s: whole: %q, %v; in pieces: %q, %v", fr.Name, want, err1, got, err2)
		}
		if err1 == nil && !bytes.Equal(rest1, rest2) {
			t.Fatalf("%s: whole leaves %q, pieces leave %q", fr.Name, rest1, rest2)
		}
		for _, m := range got {
			if len(m) > max {
				t.Fatalf("%s: a message of %d bytes, %d are allowed", fr.Name, len(m), max)
			}
		}
	})
}

// FuzzRoundTrip sends what it is given and reads it back.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("hello"), []byte{}, uint8(1))
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8) {
		for _, fr := range []*Framing{Lines, Uint32, Varint} {
			want := []string{string(a), string(b)}
			if fr == Lines && (bytes.ContainsAny(a, "\r\n") || bytes.ContainsAny(b, "\r\n")) {
				continue
			}
			stream := fr.Append(fr.Append(nil, longwire.Binary, a), longwire.Binary, b)
			got, rest, err := cutAll(fr, stream, 1<<20, func(int) int { return int(size)%9 + 1 })
			if err != nil || len(rest) > 0 || !slices.Equal(got, want) {
				t.Fatalf("%s: %q became %q, %q left, %v", fr.Name, want, got, rest, err)
			}
		}
	})
}

func TestLengthsInNetworkOrder(t *testing.T) {
	b := Uint32.Append(nil, longwire.Binary, make([]byte, 258))
	if n := binary.BigEndian.Uint32(b); n != 258 || len(b) != 262 {
		t.Fatalf("length %d in %d bytes", n, len(b))
	}
	if err := TooLarge(5); !errors.Is(err, &wire.Error{Code: wire.CodeTooLarge}) {
		t.Fatal(err)
	}
}
