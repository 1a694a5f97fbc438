package frame

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// A textSample is a sequence that is no UTF-8 and how many of its bytes show it.
type textSample struct {
	name  string
	bytes string
	shown int // 0: nothing is wrong with it but its end
}

var badText = []textSample{
	{"continuation alone", "\x80", 1},
	{"last continuation alone", "\xBF", 1},
	{"many continuations", "\x80\xBF\x80\xBF", 1},
	{"continuation after ASCII", "hello\x80", 6},
	{"continuation too many", "\xCE\xBA\xBA", 3},
	{"lead of 2, then space", "\xC2 ", 2},
	{"lead of 3, then lead", "\xE1\xE1\x80\x80", 2},
	{"lead of 3 short of one", "\xE1\x80a", 3},
	{"lead of 4 short of one", "\xF1\x80\x80a", 4},
	{"lead of 4 short of two", "\xF1\x80\xC2\x80", 3},
	{"lead of 5", "\xF8\x88\x80\x80\x80", 1},
	{"lead of 6", "\xFC\x84\x80\x80\x80\x80", 1},
	{"FE", "\xFE", 1},
	{"FF", "\xFF", 1},
	{"UTF-16 byte order mark", "\xFF\xFE", 1},
	{"overlong solidus in 2", "\xC0\xAF", 1},
	{"overlong 7F in 2", "\xC1\xBF", 1},
	{"overlong solidus in 3", "\xE0\x80\xAF", 2},
	{"overlong 7FF in 3", "\xE0\x9F\xBF", 2},
	{"overlong solidus in 4", "\xF0\x80\x80\xAF", 2},
	{"overlong FFFF in 4", "\xF0\x8F\xBF\xBF", 2},
	{"overlong zero in 2", "\xC0\x80", 1},
	{"overlong zero in 3", "\xE0\x80\x80", 2},
	{"overlong zero in 4", "\xF0\x80\x80\x80", 2},
	{"first high surrogate", "\xED\xA0\x80", 2},
	{"last high surrogate", "\xED\xAF\xBF", 2},
	{"first low surrogate", "\xED\xB0\x80", 2},
	{"last low surrogate", "\xED\xBF\xBF", 2},
	{"surrogate pair", "\xED\xA0\x80\xED\xB0\x80", 2},
	{"U+110000", "\xF4\x90\x80\x80", 2},
	{"over U+10FFFF", "\xF5\x80\x80\x80", 1},
	{"greek, then a surrogate", "κόσμε\xED\xA0\x80edited", 12},
	{"greek, then U+110000", "κόσμε\xF4\x90\x80\x80edited", 12},
	{"long ASCII, then FF", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\xFF", 65},
	{"ends in 2", "a\xDF", 0},
	{"ends in 3 after one", "a\xE0", 0},
	{"ends in 3 after two", "a\xEF\xBF", 0},
	{"ends in 4 after one", "a\xF0", 0},
	{"ends in 4 after two", "a\xF0\x90", 0},
	{"ends in 4 after three", "a\xF4\x8F\xBF", 0},
}

var goodText = []string{
	"", "a", "\x00", "\x7F", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε",
	"\u0080", "\u07FF", "\u0800", "\uFFFF", "\U00010000", "\U0010FFFF",
	"\uD7FF", "\uE000", "\uFFFD", "\uFEFF", "\u1000", "\uCFFF",
	// Noncharacters are characters enough for RFC 3629.
	"\uFFFE", "\uFDD0", "\uFDEF", "\U0001FFFE", "\U0001FFFF", "\U0008FFFF", "\U000FFFFE", "\U0010FFFE",
	"\U0001F600\U0001F468\u200D\U0001F469\u200D\U0001F467",
	"0123456789abcdef0123456789abcdef0123456789abcdefü0123456789abcdef☺",
}

func textCases() []conformanceCase {
	var cases []conformanceCase
	add := func(id, name string, want []string, in ...sent) {
		cases = append(cases, conformanceCase{id: id, name: name, in: in, want: want})
	}
	for i, s := range goodText {
		name := fmt.Sprintf("good %+q", s)
		add(fmt.Sprintf("6.1.%d.1", i+1), name, long(Text, s), text(s))
		add(fmt.Sprintf("6.1.%d.2", i+1), name+", a frame a byte", long(Text, s), fragments(Text, s, 1)...)
		add(fmt.Sprintf("6.1.%d.3", i+1), name+", pings in every character", withPings(s), interleave(fragments(Text, s, 1), ping(""))...)
	}
	invalid := []string{failed(CloseInvalidData)}
	for i, s := range badText {
		id := fmt.Sprintf("6.2.%d.", i+1)
		add(id+"1", s.name, invalid, text(s.bytes))
		add(id+"2", s.name+", a frame a byte", invalid, fragments(Text, s.bytes, 1)...)
		add(id+"3", s.name+", nothing after it yielded", invalid, text(s.bytes), text("x"))
		add(id+"4", s.name+", as binary", long(Binary, s.bytes), octets(s.bytes))
		if s.shown == 0 {
			add(id+"5", s.name+", not final", nil, first(Text, s.bytes))
			continue
		}
		// The stream stops in the middle of the frame, right behind the byte that shows it, and right before.
		rest := len(s.bytes) + len("tail") - s.shown
		add(id+"5", s.name+", shown in mid-frame", invalid, lacking(rest, text(s.bytes+"tail")))
		add(id+"6", s.name+", not yet shown", nil, lacking(rest+1, text(s.bytes+"tail")))
	}
	for r := rune(0); r <= utf8.MaxRune; r += 0x1235 {
		if s := string(r); r < 0xD800 || r > 0xDFFF {
			add(fmt.Sprintf("6.3.%x", r), "two messages of "+s, slices.Concat(long(Text, s), long(Text, s)), text(s), text(s))
		}
	}
	return cases
}

func interleave(frames []sent, between sent) []sent {
	out := []sent{frames[0]}
	for _, f := range frames[1:] {
		out = append(out, between, f)
	}
	return out
}

func withPings(s string) []string {
	return append(slices.Repeat([]string{`ping ""`}, max(len(s)-1, 0)), long(Text, s)...)
}
