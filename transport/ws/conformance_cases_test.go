package ws

import (
	"fmt"
	"slices"
	"strings"

	"github.com/longwire/longwire/internal/frame"
)

func conformanceCases() []conformanceCase {
	return slices.Concat(framingCases(), pingCases(), reservedCases(), opcodeCases(), fragmentCases(), textCases(),
		closeCases(), sizeCases(), lengthCases(), maskCases())
}

func framingCases() []conformanceCase {
	cases := []conformanceCase{}
	for k, op := range []frame.Opcode{frame.Text, frame.Binary} {
		for i, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
			data := strings.Repeat("*", n)
			cases = append(cases, conformanceCase{
				id: fmt.Sprintf("1.%d.%d", k+1, i+1), name: fmt.Sprint("one frame of ", n),
				in: []sent{whole(op, data)}, data: long([]string{"text", "binary"}[k], data),
			})
		}
	}
	return append(cases,
		conformanceCase{id: "1.3.1", name: "two messages", in: []sent{text("a"), octets("\xFF")}, data: []string{`text "a"`, `binary "\xff"`}},
		conformanceCase{id: "1.3.2", name: "unfinished frame", in: []sent{lacking(1, text("abc"))}},
	)
}

func pingCases() []conformanceCase {
	full := strings.Repeat("\xFE", 125)
	return []conformanceCase{
		{id: "2.1", name: "empty ping", in: []sent{ping("")}},
		{id: "2.2", name: "ping with text", in: []sent{ping("hello")}},
		{id: "2.3", name: "ping with bytes", in: []sent{ping("\x00\xFF\xFE")}},
		{id: "2.4", name: "ping of 125", in: []sent{ping(full)}},
		{id: "2.5", name: "ping of 126", in: []sent{ping(full + "x")}, code: 1002},
		{id: "2.6", name: "unasked empty pong", in: []sent{pong(""), ping("z")}},
		{id: "2.7", name: "unasked pong", in: []sent{pong("x"), ping("y")}},
		{id: "2.8", name: "unasked pong, ping, message", in: []sent{pong("x"), ping("y"), text("z")}, data: []string{`text "z"`}},
		{id: "2.9", name: "ten pings", in: tenPings()},
		{id: "2.10", name: "unfinished ping", in: []sent{lacking(1, ping(full))}},
		{id: "2.11", name: "ping before close", in: []sent{ping("p"), bye(1000, "")}, code: 1000},
	}
}

func tenPings() (list []sent) {
	for i := range 10 {
		list = append(list, ping(fmt.Sprint("p", i)))
	}
	return list
}

func reservedCases() []conformanceCase {
	const x = `text "x"`
	return []conformanceCase{
		{id: "3.1", name: "RSV1", in: []sent{rsv(4, text("x"))}, code: 1002},
		{id: "3.2", name: "RSV2 after a message", in: []sent{text("x"), rsv(2, text("y")), ping("")}, data: []string{x}, code: 1002},
		{id: "3.3", name: "RSV1 and RSV2", in: []sent{text("x"), rsv(6, text("y")), ping("")}, data: []string{x}, code: 1002},
		{id: "3.4", name: "RSV3", in: []sent{text("x"), rsv(1, octets("y"))}, data: []string{x}, code: 1002},
		{id: "3.5", name: "RSV3 and RSV1 on binary", in: []sent{rsv(5, octets("x"))}, code: 1002},
		{id: "3.6", name: "RSV2 and RSV3 on ping", in: []sent{rsv(3, ping("x"))}, code: 1002},
		{id: "3.7", name: "all on close", in: []sent{rsv(7, bye(1000, ""))}, code: 1002},
	}
}

func opcodeCases() []conformanceCase {
	cases := []conformanceCase{}
	for i, op := range []frame.Opcode{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		cases = append(cases, conformanceCase{
			id: fmt.Sprintf("4.%d.%d", op>>3+1, i%5+1), name: fmt.Sprint("reserved opcode ", op),
			in:   []sent{text("x"), whole(op, strings.Repeat("r", i%2)), text("y")},
			data: []string{`text "x"`}, code: 1002,
		})
	}
	return cases
}

func fragmentCases() []conformanceCase {
	hw := []string{`text "hello world"`}
	return []conformanceCase{
		{id: "5.1", name: "fragmented ping", in: []sent{first(frame.Ping, "a"), last("b")}, code: 1002},
		{id: "5.2", name: "fragmented pong", in: []sent{first(frame.Pong, "a"), last("b")}, code: 1002},
		{id: "5.3", name: "two fragments", in: []sent{first(frame.Text, "hello "), last("world")}, data: hw},
		{id: "5.6", name: "ping between fragments", in: []sent{first(frame.Text, "hello "), ping("p"), last("world")}, data: hw},
		{id: "5.7", name: "pings and pongs between fragments", data: hw,
			in: []sent{first(frame.Text, "hel"), ping("1"), more("lo "), pong("2"), ping("3"), last("world")}},
		{id: "5.9", name: "final continuation without start", in: []sent{last("x"), text("y")}, code: 1002},
		{id: "5.10", name: "continuation without start", in: []sent{more("x"), text("y")}, code: 1002},
		{id: "5.11", name: "continuation after a message", in: []sent{text("y"), last("x")}, data: []string{`text "y"`}, code: 1002},
		{id: "5.12", name: "continuation after a fragmented message", data: hw, code: 1002,
			in: []sent{first(frame.Text, "hello "), last("world"), more("!")}},
		{id: "5.15", name: "message, stray continuation, message", data: []string{`text "ab"`}, code: 1002,
			in: []sent{first(frame.Text, "a"), last("b"), last("c"), text("d")}},
		{id: "5.18", name: "text inside a message", in: []sent{first(frame.Text, "a"), text("b")}, code: 1002},
		{id: "5.19", name: "five fragments with pings", data: []string{`binary "12345"`},
			in: []sent{first(frame.Binary, "1"), more("2"), ping("a"), more("3"), more("4"), ping("b"), last("5")}},
		{id: "5.20", name: "empty fragments", in: []sent{first(frame.Text, ""), more(""), last("")}, data: []string{`text ""`}},
		{id: "5.21", name: "data only in the middle", in: []sent{first(frame.Binary, ""), more("x"), last("")}, data: []string{`binary "x"`}},
		{id: "5.22", name: "unfinished message", in: []sent{first(frame.Text, "a"), more("b")}},
		{id: "5.23", name: "whole messages around a fragmented one", data: []string{`text "a"`, `text "bc"`, `text "d"`},
			in: []sent{text("a"), first(frame.Text, "b"), last("c"), text("d")}},
	}
}

func textCases() (cases []conformanceCase) {
	good := []string{
		"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\u0080", "\u07FF", "\u0800", "\uFFFF", "\U00010000", "\U0010FFFF",
		"\uD7FF", "\uE000", "\uFFFD", "\uFEFF", "\uFFFE", "\uFDD0", "\U0001FFFE", "\U0010FFFE", "\U0001F468\u200D\U0001F469",
	}
	for i, s := range good {
		cases = append(cases,
			conformanceCase{id: fmt.Sprintf("6.1.%d.1", i+1), name: fmt.Sprintf("good %+q", s), in: []sent{text(s)}, data: long("text", s)},
			conformanceCase{id: fmt.Sprintf("6.1.%d.2", i+1), name: fmt.Sprintf("good %+q, a frame a byte", s),
				in: fragments(frame.Text, s, 1), data: long("text", s)})
	}
	bad := []string{
		"\x80", "\xBF", "hello\x80", "\xCE\xBA\xBA", "\xC2 ", "\xE1\x80a", "\xF1\x80\x80a", "\xF8\x88\x80\x80\x80", "\xFE", "\xFF",
		"\xC0\xAF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xC0\x80", "\xED\xA0\x80",
		"\xED\xAF\xBF", "\xED\xB0\x80", "\xED\xBF\xBF", "\xED\xA0\x80\xED\xB0\x80", "\xF4\x90\x80\x80", "κόσμε\xED\xA0\x80edited",
		"a\xDF", "a\xE0", "a\xEF\xBF", "a\xF4\x8F\xBF",
	}
	for i, s := range bad {
		id := fmt.Sprintf("6.2.%d.", i+1)
		cases = append(cases,
			conformanceCase{id: id + "1", name: fmt.Sprintf("bad %+q", s), in: []sent{text(s)}, code: 1007},
			conformanceCase{id: id + "2", name: fmt.Sprintf("bad %+q, a frame a byte", s), in: fragments(frame.Text, s, 1), code: 1007},
			conformanceCase{id: id + "3", name: fmt.Sprintf("%+q as binary", s), in: []sent{octets(s)}, data: []string{fmt.Sprintf("binary %q", s)}})
	}
	// Failing fast: the rest of the frame never comes.
	return append(cases, conformanceCase{id: "6.4.1", name: "shown in mid-frame",
		in: []sent{text("x"), lacking(4, text("κόσμε\xF4\x90tail"))}, data: []string{`text "x"`}, code: 1007})
}

func closeCases() []conformanceCase {
	full := strings.Repeat("r", frame.MaxReason)
	x := []string{`text "x"`}
	cases := []conformanceCase{
		{id: "7.1.1", name: "message, then close", in: []sent{text("x"), bye(1000, "")}, data: x, code: 1000},
		{id: "7.1.2", name: "second close ignored", in: []sent{bye(1000, ""), bye(1002, "")}, code: 1000},
		{id: "7.1.3", name: "ping after close ignored", in: []sent{bye(1000, ""), ping("")}, code: 1000},
		{id: "7.1.4", name: "text after close ignored", in: []sent{bye(1000, ""), text("x")}, code: 1000},
		{id: "7.1.5", name: "close inside a message", in: []sent{first(frame.Text, "a"), bye(1001, "off"), last("b")}, code: 1001},
		{id: "7.1.6", name: "wrong bytes after close ignored", in: []sent{bye(1000, ""), rsv(7, whole(15, "x"))}, code: 1000},
		{id: "7.1.7", name: "nothing after a failure", in: []sent{whole(3, ""), bye(1000, ""), text("x")}, code: 1002},
		{id: "7.1.8", name: "much after close ignored", in: []sent{text("x"), bye(1000, ""), octets(strings.Repeat("x", 256<<10))}, data: x, code: 1000},
		{id: "7.3.1", name: "without payload", in: []sent{whole(frame.Close, "")}, code: 1005},
		{id: "7.3.2", name: "payload of one byte", in: []sent{whole(frame.Close, "\x03")}, code: 1002},
		{id: "7.3.4", name: "with reason", in: []sent{bye(1000, "bye ☺")}, code: 1000},
		{id: "7.3.5", name: "longest reason", in: []sent{bye(1000, full)}, code: 1000},
		{id: "7.3.6", name: "payload of 126", in: []sent{bye(1000, full+"r")}, code: 1002},
		{id: "7.3.7", name: "fragmented", in: []sent{first(frame.Close, "\x03\xE8"), last("")}, code: 1002},
		{id: "7.5.1", name: "reason not UTF-8", in: []sent{bye(1000, "\xCE\xBA\xED\xA0\x80edited")}, code: 1007},
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		cases = append(cases, conformanceCase{id: fmt.Sprint("7.7.", i+1), name: fmt.Sprint("code ", code), in: []sent{bye(code, "")}, code: code})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases, conformanceCase{id: fmt.Sprint("7.9.", i+1), name: fmt.Sprint("code ", code), in: []sent{bye(code, "why")}, code: 1002})
	}
	return cases
}

func sizeCases() (cases []conformanceCase) {
	for i, n := range []int{1 << 16, 1 << 18, suiteMaxMessage} {
		ascii, bytes := strings.Repeat("*", n), strings.Repeat("\xFE", n)
		cases = append(cases,
			conformanceCase{id: fmt.Sprint("9.1.", i+1), name: fmt.Sprint("text of ", n), in: []sent{text(ascii)}, data: long("text", ascii)},
			conformanceCase{id: fmt.Sprint("9.2.", i+1), name: fmt.Sprint("binary of ", n), in: []sent{octets(bytes)}, data: long("binary", bytes)})
	}
	most := strings.Repeat("ü", 1<<15)
	for i, size := range []int{64, 1024, 16384} {
		cases = append(cases, conformanceCase{id: fmt.Sprint("9.3.", i+1), name: fmt.Sprint("64 KiB in fragments of ", size),
			in: fragments(frame.Text, most, size), data: long("text", most)})
	}
	over := strings.Repeat("*", suiteMaxMessage+1)
	return append(cases,
		conformanceCase{id: "9.9.1", name: "over the limit", in: []sent{octets(over)}, code: 1009},
		conformanceCase{id: "9.9.2", name: "over the limit by the declared length alone", in: []sent{lacking(len(over), octets(over))}, code: 1009},
		conformanceCase{id: "9.9.3", name: "over the limit in fragments", in: fragments(frame.Binary, over, 1<<18), code: 1009},
		conformanceCase{id: "9.9.4", name: "2^63-1 bytes declared", in: []sent{lengthField("\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", octets(""))}, code: 1009},
		conformanceCase{id: "9.9.5", name: "flood of empty fragments", in: append([]sent{first(frame.Binary, "")}, slices.Repeat([]sent{more("")}, 82_000)...), code: 4004},
		conformanceCase{id: "10.1.1", name: "64 KiB in fragments of 1300", in: fragments(frame.Text, most, 1300), data: long("text", most)},
	)
}

// From here on numbers that the Autobahn suite does not use.

func lengthCases() []conformanceCase {
	return []conformanceCase{
		{id: "20.1", name: "125 in two bytes", in: []sent{lengthField("\x7E\x00\x7D", text("x"))}, code: 1002},
		{id: "20.2", name: "65535 in eight bytes", in: []sent{lengthField("\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF", text("x"))}, code: 1002},
		{id: "20.3", name: "2^63", in: []sent{lengthField("\x7F\x80\x00\x00\x00\x00\x00\x00\x00", text(""))}, code: 1002},
		{id: "20.4", name: "2^64-1 in a second fragment", code: 1002,
			in: []sent{first(frame.Binary, "x"), lengthField("\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", last(""))}},
	}
}

func maskCases() []conformanceCase {
	return []conformanceCase{
		{id: "21.1", name: "unmasked text", in: []sent{unmasked(text("hello"))}, code: 1002},
		{id: "21.2", name: "unmasked empty ping", in: []sent{unmasked(ping(""))}, code: 1002},
		{id: "21.3", name: "unmasked close", in: []sent{unmasked(bye(1000, ""))}, code: 1002},
		{id: "21.4", name: "unmasked second fragment", in: []sent{first(frame.Text, "a"), unmasked(last("b"))}, code: 1002},
	}
}
