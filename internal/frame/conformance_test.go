package frame

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The suite is our own. Its sections are numbered after those of the Autobahn suite, so that a reader who knows that
// one finds his way. Every case is a stream as a peer sends it and the transcript of what must come out, in both
// roles, however the stream is cut.

// A sent is one frame as a peer sends it, right or wrong.
type sent struct {
	first     byte // FIN, RSV and opcode
	payload   string
	length    string // the length field as it stands, instead of the right one in its shortest form
	lack      int    // bytes at the end of the payload that never come
	wrongSide bool   // masked where it must not be, or the reverse
}

func whole(op Opcode, payload string) sent { return sent{first: 0x80 | byte(op), payload: payload} }
func first(op Opcode, payload string) sent { return sent{first: byte(op), payload: payload} }
func more(payload string) sent             { return first(Continuation, payload) }
func last(payload string) sent             { return whole(Continuation, payload) }
func text(payload string) sent             { return whole(Text, payload) }
func octets(payload string) sent           { return whole(Binary, payload) }
func ping(payload string) sent             { return whole(Ping, payload) }
func pong(payload string) sent             { return whole(Pong, payload) }
func rsv(bits byte, s sent) sent           { s.first |= bits << 4; return s }
func lacking(n int, s sent) sent           { s.lack = n; return s }
func lengthField(raw string, s sent) sent  { s.length = raw; return s }
func fromWrongSide(s sent) sent            { s.wrongSide = true; return s }
func closing(code int, reason string) sent {
	return whole(Close, string([]byte{byte(code >> 8), byte(code)})+reason)
}

func fragments(op Opcode, payload string, size int) []sent {
	frames := []sent{}
	for len(payload) > size {
		frames = append(frames, more(payload[:size]))
		payload = payload[size:]
	}
	frames = append(frames, last(payload))
	frames[0].first |= byte(op)
	return frames
}

// encode is written apart from AppendHeader and Mask, so that it can show them wrong.
func (s sent) encode(fromClient bool, key [4]byte) []byte {
	masked := fromClient != s.wrongSide
	length := []byte(s.length)
	if s.length == "" {
		switch n := len(s.payload); {
		case n < 126:
			length = []byte{byte(n)}
		case n < 1<<16:
			length = []byte{126, byte(n >> 8), byte(n)}
		default:
			length = []byte{127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		}
	}
	if masked {
		length[0] |= 0x80
	}
	out := append([]byte{s.first}, length...)
	body := []byte(s.payload[:len(s.payload)-s.lack])
	if masked {
		out = append(out, key[:]...)
		for i := range body {
			body[i] ^= key[i%4]
		}
	}
	return append(out, body...)
}

func encodeAll(frames []sent, fromClient bool) []byte {
	keys := rand.New(rand.NewPCG(6, 455))
	var stream []byte
	for _, f := range frames {
		k := keys.Uint32()
		stream = append(stream, f.encode(fromClient, [4]byte{byte(k), byte(k >> 8), byte(k >> 16), byte(k >> 24)})...)
	}
	return stream
}

type conformanceCase struct {
	id, name string
	in       []sent
	want     []string // what transcribe makes of the events
	max      int      // Config.MaxMessage
	deflate  bool     // Config.AllowRSV1
}

func transcribe(op Opcode, compressed bool, code uint16, data []byte) string {
	shown := fmt.Sprintf("%d bytes, sum %08x", len(data), crc32.ChecksumIEEE(data))
	if len(data) <= 200 {
		shown = fmt.Sprintf("%q", data)
	}
	name := map[Opcode]string{Text: "text", Binary: "binary", Ping: "ping", Pong: "pong"}[op]
	switch {
	case op == Close:
		return fmt.Sprintf("close %d %s", code, shown)
	case compressed:
		return "compressed " + name + " " + shown
	}
	return name + " " + shown
}

func failed(code uint16) string { return fmt.Sprintf("fail %d", code) }

func long(op Opcode, data string) []string {
	return []string{transcribe(op, false, 0, []byte(data))}
}

// receive is a caller of Reader: it keeps what is left over and presents it again with the next piece.
func receive(t testing.TB, cfg *Config, pieces [][]byte) (got []string) {
	t.Helper()
	r := Reader{Config: cfg}
	defer r.Release()
	var p []byte
	for _, piece := range pieces {
		p = append(slices.Clone(p), piece...) // a new place in memory: nothing may hang on the old one
		for {
			ev, n, err := r.Next(p)
			if n < 0 || n > len(p) {
				t.Fatalf("Next consumed %d of %d bytes", n, len(p))
			}
			p = p[n:]
			if err != nil {
				got = append(got, failed(err.(*Error).Code))
				continue
			}
			if ev.Op == None {
				break
			}
			got = append(got, transcribe(ev.Op, ev.Compressed, ev.Code, ev.Data))
		}
		if len(p) > MaxRest {
			t.Fatalf("Next left %d bytes, over MaxRest", len(p))
		}
	}
	return got
}

func cut(stream []byte, size func() int) [][]byte {
	var pieces [][]byte
	for len(stream) > 0 {
		n := min(len(stream), size())
		pieces = append(pieces, slices.Clone(stream[:n]))
		stream = stream[n:]
	}
	return pieces
}

func TestConformance(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range conformanceCases() {
		if seen[c.id] {
			t.Errorf("case %s twice", c.id)
		}
		seen[c.id] = true
		t.Run(c.id+" "+c.name, func(t *testing.T) {
			for _, server := range []bool{true, false} {
				stream := encodeAll(c.in, server)
				cfg := &Config{Server: server, MaxMessage: c.max, AllowRSV1: c.deflate}
				check := func(how string, size func() int) {
					t.Helper()
					if got := receive(t, cfg, cut(stream, size)); !slices.Equal(got, c.want) {
						t.Errorf("server %t, %s:\n got %q\nwant %q", server, how, got, c.want)
					}
				}
				check("whole", func() int { return len(stream) })
				if len(stream) < 1<<16 {
					check("byte by byte", func() int { return 1 })
				}
				for seed := range uint64(4) {
					random := rand.New(rand.NewPCG(seed, 1))
					most := 1 + random.IntN(max(len(stream)>>seed, 1))
					check(fmt.Sprint("random split ", seed), func() int { return 1 + random.IntN(most) })
				}
				if want := reference(stream, cfg); !slices.Equal(want, c.want) {
					t.Errorf("server %t: the reference decoder says %q, the case %q", server, want, c.want)
				}
			}
		})
	}
}

func conformanceCases() []conformanceCase {
	return slices.Concat(framingCases(), pingCases(), reservedCases(), opcodeCases(), fragmentCases(), textCases(),
		closeCases(), sizeCases(), autoFragmentCases(), compressedCases(), lengthCases(), maskCases())
}

func framingCases() []conformanceCase {
	cases := []conformanceCase{}
	for k, op := range []Opcode{Text, Binary} {
		for i, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
			data := strings.Repeat("*", n)
			cases = append(cases, conformanceCase{
				id: fmt.Sprintf("1.%d.%d", k+1, i+1), name: fmt.Sprint("one frame of ", n),
				in: []sent{whole(op, data)}, want: long(op, data),
			})
		}
	}
	return append(cases,
		conformanceCase{id: "1.3.1", name: "two messages",
			in: []sent{text("a"), octets("\xFF")}, want: []string{`text "a"`, `binary "\xff"`}},
		conformanceCase{id: "1.3.2", name: "nothing", in: []sent{}, want: nil},
		conformanceCase{id: "1.3.3", name: "unfinished frame", in: []sent{lacking(1, text("abc"))}, want: nil},
	)
}

func pingCases() []conformanceCase {
	full := strings.Repeat("\xFE", 125)
	return []conformanceCase{
		{id: "2.1", name: "empty ping", in: []sent{ping("")}, want: []string{`ping ""`}},
		{id: "2.2", name: "ping with text", in: []sent{ping("hello")}, want: []string{`ping "hello"`}},
		{id: "2.3", name: "ping with bytes", in: []sent{ping("\x00\xFF\xFE")}, want: []string{`ping "\x00\xff\xfe"`}},
		{id: "2.4", name: "ping of 125", in: []sent{ping(full)}, want: long(Ping, full)},
		{id: "2.5", name: "ping of 126", in: []sent{ping(full + "x")}, want: []string{"fail 1002"}},
		{id: "2.6", name: "unasked empty pong", in: []sent{pong("")}, want: []string{`pong ""`}},
		{id: "2.7", name: "unasked pong", in: []sent{pong("x"), ping("y")}, want: []string{`pong "x"`, `ping "y"`}},
		{id: "2.8", name: "ten pings", in: slices.Repeat([]sent{ping("p")}, 10), want: slices.Repeat([]string{`ping "p"`}, 10)},
		{id: "2.9", name: "pong of 126", in: []sent{pong(full + "x")}, want: []string{"fail 1002"}},
		{id: "2.10", name: "unfinished ping", in: []sent{lacking(1, ping(full))}, want: nil},
		{id: "2.11", name: "long ping refused by its length alone", in: []sent{lacking(126, ping(full+"x"))}, want: []string{"fail 1002"}},
	}
}

func reservedCases() []conformanceCase {
	return []conformanceCase{
		{id: "3.1", name: "RSV1", in: []sent{rsv(4, text("x"))}, want: []string{"fail 1002"}},
		{id: "3.2", name: "RSV2 after a message", in: []sent{text("x"), rsv(2, text("y"))}, want: []string{`text "x"`, "fail 1002"}},
		{id: "3.3", name: "RSV2 and RSV1", in: []sent{text("x"), rsv(6, text("y")), ping("")}, want: []string{`text "x"`, "fail 1002"}},
		{id: "3.4", name: "RSV3", in: []sent{rsv(1, octets("x"))}, want: []string{"fail 1002"}},
		{id: "3.5", name: "RSV3 and RSV1 on binary", in: []sent{rsv(5, octets("x"))}, want: []string{"fail 1002"}},
		{id: "3.6", name: "RSV2 and RSV3 on ping", in: []sent{rsv(3, ping("x"))}, want: []string{"fail 1002"}},
		{id: "3.7", name: "all on close", in: []sent{rsv(7, closing(1000, ""))}, want: []string{"fail 1002"}},
		{id: "3.8", name: "RSV1 on continuation", in: []sent{first(Text, "a"), rsv(4, last("b"))}, want: []string{"fail 1002"}},
		{id: "3.9", name: "RSV2 although RSV1 was agreed", in: []sent{rsv(2, text("x"))}, deflate: true, want: []string{"fail 1002"}},
	}
}

func opcodeCases() []conformanceCase {
	cases := []conformanceCase{}
	for i, op := range []Opcode{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		cases = append(cases, conformanceCase{
			id: fmt.Sprintf("4.%d.%d", op>>3+1, i%5+1), name: fmt.Sprint("reserved opcode ", op),
			in:   []sent{text("x"), whole(op, strings.Repeat("r", i%2)), ping("")},
			want: []string{`text "x"`, "fail 1002"},
		})
	}
	return cases
}

func fragmentCases() []conformanceCase {
	const hw = `text "hello world"`
	return []conformanceCase{
		{id: "5.1", name: "fragmented ping", in: []sent{first(Ping, "a"), last("b")}, want: []string{"fail 1002"}},
		{id: "5.2", name: "fragmented pong", in: []sent{first(Pong, "a"), last("b")}, want: []string{"fail 1002"}},
		{id: "5.3", name: "two fragments", in: []sent{first(Text, "hello "), last("world")}, want: []string{hw}},
		{id: "5.4", name: "fragmented close", in: []sent{first(Close, "\x03\xE8"), last("")}, want: []string{"fail 1002"}},
		{id: "5.6", name: "ping between fragments", in: []sent{first(Text, "hello "), ping("p"), last("world")}, want: []string{`ping "p"`, hw}},
		{id: "5.7", name: "pings and pongs between fragments",
			in:   []sent{first(Text, "hel"), ping("1"), more("lo "), pong("2"), ping(""), last("world")},
			want: []string{`ping "1"`, `pong "2"`, `ping ""`, hw}},
		{id: "5.9", name: "final continuation without start", in: []sent{last("x"), text("y")}, want: []string{"fail 1002"}},
		{id: "5.10", name: "continuation without start", in: []sent{more("x"), text("y")}, want: []string{"fail 1002"}},
		{id: "5.11", name: "continuation after a whole message", in: []sent{text("y"), last("x")}, want: []string{`text "y"`, "fail 1002"}},
		{id: "5.12", name: "continuation after a fragmented message",
			in: []sent{first(Text, "hello "), last("world"), more("!")}, want: []string{hw, "fail 1002"}},
		{id: "5.15", name: "message, stray continuation, message",
			in: []sent{first(Text, "a"), last("b"), last("c"), text("d")}, want: []string{`text "ab"`, "fail 1002"}},
		{id: "5.18", name: "text inside a message", in: []sent{first(Text, "a"), text("b")}, want: []string{"fail 1002"}},
		{id: "5.19", name: "five fragments with pings",
			in:   []sent{first(Binary, "1"), more("2"), ping("a"), more("3"), more("4"), ping("b"), last("5")},
			want: []string{`ping "a"`, `ping "b"`, `binary "12345"`}},
		{id: "5.21", name: "binary start inside a message", in: []sent{first(Binary, "a"), first(Binary, "b")}, want: []string{"fail 1002"}},
		{id: "5.22", name: "empty fragments", in: []sent{first(Text, ""), more(""), last("")}, want: []string{`text ""`}},
		{id: "5.23", name: "data only in the middle", in: []sent{first(Binary, ""), more("x"), last("")}, want: []string{`binary "x"`}},
		{id: "5.24", name: "two fragmented messages",
			in: []sent{first(Text, "a"), last("b"), first(Binary, "c"), last("d")}, want: []string{`text "ab"`, `binary "cd"`}},
		{id: "5.25", name: "unfinished message", in: []sent{first(Text, "a"), more("b")}, want: nil},
		{id: "5.26", name: "whole messages around a fragmented one",
			in: []sent{text("a"), first(Text, "b"), last("c"), text("d")}, want: []string{`text "a"`, `text "bc"`, `text "d"`}},
	}
}

func closeCases() []conformanceCase {
	full := strings.Repeat("r", MaxReason)
	cases := []conformanceCase{
		{id: "7.1.1", name: "message, then close", in: []sent{text("x"), closing(1000, "")}, want: []string{`text "x"`, `close 1000 ""`}},
		{id: "7.1.2", name: "second close ignored", in: []sent{closing(1000, ""), closing(1002, "")}, want: []string{`close 1000 ""`}},
		{id: "7.1.3", name: "ping after close ignored", in: []sent{closing(1000, ""), ping("")}, want: []string{`close 1000 ""`}},
		{id: "7.1.4", name: "text after close ignored", in: []sent{closing(1000, ""), text("x")}, want: []string{`close 1000 ""`}},
		{id: "7.1.5", name: "close inside a message", in: []sent{first(Text, "a"), closing(1001, "off"), last("b")}, want: []string{`close 1001 "off"`}},
		{id: "7.1.6", name: "wrong bytes after close ignored", in: []sent{closing(1000, ""), rsv(7, whole(15, "x"))}, want: []string{`close 1000 ""`}},
		{id: "7.1.7", name: "nothing after a failure", in: []sent{whole(3, ""), closing(1000, ""), text("x")}, want: []string{"fail 1002"}},
		{id: "7.3.1", name: "without payload", in: []sent{whole(Close, "")}, want: []string{`close 1005 ""`}},
		{id: "7.3.2", name: "payload of one byte", in: []sent{whole(Close, "\x03")}, want: []string{"fail 1002"}},
		{id: "7.3.3", name: "code alone", in: []sent{closing(1000, "")}, want: []string{`close 1000 ""`}},
		{id: "7.3.4", name: "with reason", in: []sent{closing(1000, "bye ☺")}, want: []string{`close 1000 "bye ☺"`}},
		{id: "7.3.5", name: "longest reason", in: []sent{closing(1000, full)}, want: []string{fmt.Sprintf("close 1000 %q", full)}},
		{id: "7.3.6", name: "payload of 126", in: []sent{closing(1000, full+"r")}, want: []string{"fail 1002"}},
		{id: "7.3.7", name: "unfinished", in: []sent{lacking(1, closing(1000, "bye"))}, want: nil},
		{id: "7.5.1", name: "reason not UTF-8", in: []sent{closing(1000, "\xCE\xBA\xED\xA0\x80edited")}, want: []string{"fail 1007"}},
		{id: "7.5.2", name: "reason that ends in a character", in: []sent{closing(1000, "\xE2\x98")}, want: []string{"fail 1007"}},
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		cases = append(cases, conformanceCase{id: fmt.Sprint("7.7.", i+1), name: fmt.Sprint("code ", code),
			in: []sent{closing(code, "")}, want: []string{fmt.Sprintf(`close %d ""`, code)}})
	}
	for i, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases, conformanceCase{id: fmt.Sprint("7.9.", i+1), name: fmt.Sprint("code ", code),
			in: []sent{closing(code, "why")}, want: []string{"fail 1002"}})
	}
	return cases
}

func sizeCases() []conformanceCase {
	cases := []conformanceCase{}
	for i, n := range []int{1 << 16, 1 << 18, 1 << 20} {
		ascii, bytes := strings.Repeat("*", n), strings.Repeat("\xFE", n)
		cases = append(cases,
			conformanceCase{id: fmt.Sprint("9.1.", i+1), name: fmt.Sprint("text of ", n), in: []sent{text(ascii)}, want: long(Text, ascii)},
			conformanceCase{id: fmt.Sprint("9.2.", i+1), name: fmt.Sprint("binary of ", n), in: []sent{octets(bytes)}, want: long(Binary, bytes)},
		)
	}
	most := strings.Repeat("ü", 1<<14)
	for i, size := range []int{64, 256, 1024, 4096, 16384, 32767} {
		cases = append(cases, conformanceCase{id: fmt.Sprint("9.3.", i+1), name: fmt.Sprint("largest message in fragments of ", size),
			max: len(most), in: fragments(Text, most, size), want: long(Text, most)})
	}
	empty := func(n int) []sent { return append([]sent{first(Binary, "xy")}, slices.Repeat([]sent{more("")}, n)...) }
	return append(cases, []conformanceCase{
		{id: "9.9.1", name: "at the limit", max: 5, in: []sent{text("12345")}, want: []string{`text "12345"`}},
		{id: "9.9.2", name: "over the limit", max: 5, in: []sent{text("123456")}, want: []string{"fail 1009"}},
		{id: "9.9.3", name: "over the limit by the declared length alone", max: 5, in: []sent{lacking(6, text("123456"))}, want: []string{"fail 1009"}},
		{id: "9.9.4", name: "fragments at the limit", max: 5, in: []sent{first(Text, "12"), last("345")}, want: []string{`text "12345"`}},
		{id: "9.9.5", name: "fragments over the limit", max: 5, in: []sent{first(Text, "12"), lacking(4, last("3456"))}, want: []string{"fail 1009"}},
		{id: "9.9.6", name: "the limit is for each message", max: 2, in: []sent{text("12"), first(Text, "3"), last("4"), text("56")},
			want: []string{`text "12"`, `text "34"`, `text "56"`}},
		{id: "9.9.7", name: "a ping is no part of the message", max: 2, in: []sent{first(Text, "1"), ping("12345"), last("2")},
			want: []string{`ping "12345"`, `text "12"`}},
		{id: "9.9.8", name: "2^62 bytes declared", in: []sent{lengthField("\x7F\x40\x00\x00\x00\x00\x00\x00\x00", octets(""))}, want: []string{"fail 1009"}},
		{id: "9.9.9", name: "2^63-1 bytes declared in a second fragment",
			in:   []sent{first(Binary, "x"), lengthField("\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", last(""))},
			want: []string{"fail 1009"}},
		{id: "9.9.10", name: "2^63-1 bytes declared without a limit", max: -1,
			in:   []sent{first(Binary, "x"), lengthField("\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", last(""))},
			want: []string{"fail 1009"}},
		// Allowed: 1000 + 1000/4 + 1024, less 2 bytes of payload, at 16 each: exactly 142 frames.
		{id: "9.9.11", name: "as many fragments as allowed", max: 1000, in: append(empty(140), last("")), want: []string{`binary "xy"`}},
		{id: "9.9.12", name: "flood of empty fragments", max: 1000, in: empty(142), want: []string{"fail 4004"}},
		{id: "9.9.13", name: "flood of one-byte fragments", max: 1000, in: fragments(Text, strings.Repeat("x", 1000), 1), want: []string{"fail 4004"}},
	}...)
}

func autoFragmentCases() []conformanceCase {
	data := strings.Repeat("*", 1<<16)
	return []conformanceCase{
		{id: "10.1.1", name: "64 KiB in fragments of 1300", in: fragments(Text, data, 1300), want: long(Text, data)},
	}
}

// Compression itself lives elsewhere; here is what the Reader must do about its bit.
func compressedCases() []conformanceCase {
	return []conformanceCase{
		{id: "12.1.1", name: "one frame, its bytes not taken for text", deflate: true,
			in: []sent{rsv(4, text("\xF2\x00"))}, want: []string{`compressed text "\xf2\x00"`}},
		{id: "12.1.2", name: "fragments", deflate: true,
			in:   []sent{rsv(4, first(Text, "\xF2")), ping(""), last("\x00"), text("plain")},
			want: []string{`ping ""`, `compressed text "\xf2\x00"`, `text "plain"`}},
		{id: "12.1.3", name: "uncompressed text is still checked", deflate: true, in: []sent{text("\xFF")}, want: []string{"fail 1007"}},
		{id: "12.1.4", name: "bit on a continuation", deflate: true, in: []sent{rsv(4, first(Text, "a")), rsv(4, last("b"))}, want: []string{"fail 1002"}},
		{id: "12.1.5", name: "bit on a ping", deflate: true, in: []sent{rsv(4, ping(""))}, want: []string{"fail 1002"}},
		{id: "12.1.6", name: "bit on a close", deflate: true, in: []sent{rsv(4, closing(1000, ""))}, want: []string{"fail 1002"}},
		{id: "12.1.7", name: "limit before inflating", deflate: true, max: 2, in: []sent{rsv(4, octets("abc"))}, want: []string{"fail 1009"}},
	}
}

// From here on numbers that the Autobahn suite does not use.

func lengthCases() []conformanceCase {
	return []conformanceCase{
		{id: "20.1", name: "125 in two bytes", in: []sent{lengthField("\x7E\x00\x7D", text("x"))}, want: []string{"fail 1002"}},
		{id: "20.2", name: "0 in two bytes", in: []sent{lengthField("\x7E\x00\x00", text(""))}, want: []string{"fail 1002"}},
		{id: "20.3", name: "65535 in eight bytes", in: []sent{lengthField("\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF", text("x"))}, want: []string{"fail 1002"}},
		{id: "20.4", name: "1 in eight bytes", in: []sent{lengthField("\x7F\x00\x00\x00\x00\x00\x00\x00\x01", text("x"))}, want: []string{"fail 1002"}},
		{id: "20.5", name: "2^63", in: []sent{lengthField("\x7F\x80\x00\x00\x00\x00\x00\x00\x00", text(""))}, want: []string{"fail 1002"}},
		{id: "20.6", name: "2^64-1", in: []sent{lengthField("\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", text(""))}, want: []string{"fail 1002"}},
		{id: "20.7", name: "2^63 in a second fragment", in: []sent{first(Binary, "x"), lengthField("\x7F\x80\x00\x00\x00\x00\x00\x00\x00", last(""))}, want: []string{"fail 1002"}},
	}
}

func maskCases() []conformanceCase {
	return []conformanceCase{
		{id: "21.1", name: "text from the wrong side", in: []sent{fromWrongSide(text("hello"))}, want: []string{"fail 1002"}},
		{id: "21.2", name: "empty ping from the wrong side", in: []sent{fromWrongSide(ping(""))}, want: []string{"fail 1002"}},
		{id: "21.3", name: "close from the wrong side", in: []sent{fromWrongSide(closing(1000, ""))}, want: []string{"fail 1002"}},
		{id: "21.4", name: "second fragment from the wrong side", in: []sent{first(Text, "a"), fromWrongSide(last("b"))}, want: []string{"fail 1002"}},
	}
}
