package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// A scanner walks JSON text (RFC 8259) once, from its beginning to its end, and checks all of it. It copies
// nothing and does not recurse. What comes before the text breaks has been seen by then, which is how the id
// of a broken frame is known.
type scanner struct {
	p []byte
	i int // the next byte

	why     string // how the text breaks at i; empty while it does not
	escaped bool   // the last string has a backslash
	spaced  bool   // white space was skipped inside of a value
	deep    bool   // something nests too deep; it was skipped unchecked
	badText bool   // some string is not UTF-8
}

func (s *scanner) fail(why string) bool {
	s.why = why
	return false
}

// space skips white space.
func (s *scanner) space() {
	for s.i < len(s.p) && isSpace(s.p[s.i]) {
		s.i++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// next returns the next byte that is not white space, and zero at the end.
func (s *scanner) next() byte {
	if s.i < len(s.p) && s.p[s.i] > ' ' {
		return s.p[s.i]
	}
	s.space()
	if s.i < len(s.p) {
		return s.p[s.i]
	}
	return 0
}

// take skips white space and c, if that follows.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.i++
	return true
}

// end reports whether only white space follows.
func (s *scanner) end() bool {
	if s.space(); s.i < len(s.p) {
		return s.fail("something follows the value")
	}
	return true
}

// name goes on inside of an object, to the next member's value. It returns the member's name as it is
// written, without quotes. There is none at the object's end, which is behind it then, and where the text
// breaks. The first name of an object has no comma before it.
func (s *scanner) name(first bool) (name []byte, ok bool) {
	c := s.next()
	if c == '}' {
		s.i++
		return nil, false
	}
	if !first {
		if c != ',' {
			return nil, s.fail("a comma or } should be here")
		}
		s.i++
		c = s.next()
	}
	if c != '"' {
		return nil, s.fail("a member's name should be here, in quotes")
	}
	start := s.i + 1
	if !s.str() {
		return nil, false
	}
	name = s.p[start : s.i-1]
	if !s.take(':') {
		return nil, s.fail("a colon should be here")
	}
	s.space()
	return name, true
}

// value walks the value that begins at the next byte.
func (s *scanner) value() bool {
	if s.i < len(s.p) && (s.p[s.i] == '{' || s.p[s.i] == '[') {
		return s.nested()
	}
	return s.scalar()
}

func (s *scanner) scalar() bool {
	if s.i >= len(s.p) {
		return s.fail("it ends here")
	}
	switch c := s.p[s.i]; c {
	case '"':
		return s.str()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

func (s *scanner) word(w string) bool {
	if len(s.p)-s.i < len(w) || string(s.p[s.i:s.i+len(w)]) != w {
		return s.fail("a value should be here")
	}
	s.i += len(w)
	return true
}

// number walks a number (RFC 8259, section 6).
func (s *scanner) number() bool {
	if s.p[s.i] == '-' {
		s.i++
	}
	switch {
	case s.i < len(s.p) && s.p[s.i] == '0':
		s.i++
	case !s.digits():
		return s.fail("a value should be here")
	}
	if s.i < len(s.p) && s.p[s.i] == '.' {
		s.i++
		if !s.digits() {
			return s.fail("a digit should be here")
		}
	}
	if s.i < len(s.p) && s.p[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.p) && (s.p[s.i] == '+' || s.p[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return s.fail("a digit should be here")
		}
	}
	return true
}

// digits skips digits, and reports whether there was one.
func (s *scanner) digits() bool {
	i := s.i
	for i < len(s.p) && s.p[i]-'0' <= 9 {
		i++
	}
	some := i > s.i
	s.i = i
	return some
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// special marks, in the highest bit of its byte, the first byte of w that cannot stand in a string as it is:
// a quote, a backslash or a control character. Bytes above the first may be marked wrongly, by a borrow.
func special(w uint64) uint64 {
	quote := w ^ '"'*lowBits
	slash := w ^ '\\'*lowBits
	return ((quote-lowBits)&^quote | (slash-lowBits)&^slash | (w-' '*lowBits)&^w) & highBits
}

// str walks the string whose quote is the next byte. Strings are most of any frame, so they are walked eight
// bytes a step, and looked at as text only if something in them is not ASCII.
func (s *scanner) str() bool {
	p, i := s.p, s.i+1
	var high uint64
	s.escaped = false
	for {
		for i+8 <= len(p) {
			w := binary.LittleEndian.Uint64(p[i:])
			if m := special(w); m != 0 {
				n := bits.TrailingZeros64(m) &^ 7 // bits before the marked byte
				high |= w & (1<<n - 1)
				i += n / 8
				break
			}
			high |= w
			i += 8
		}
		for i < len(p) && p[i] >= ' ' && p[i] != '"' && p[i] != '\\' { // the last seven bytes, or none
			high |= uint64(p[i])
			i++
		}
		if i < len(p) && p[i] == '"' {
			break
		}
		if i = s.escape(i); i < 0 {
			return false
		}
	}
	if high&highBits != 0 && !utf8.Valid(p[s.i+1:i]) {
		s.badText = true
	}
	s.i = i + 1
	return true
}

// escape walks the escape at i, and returns where the string goes on, -1 where it breaks.
func (s *scanner) escape(i int) int {
	s.escaped = true
	switch {
	case i >= len(s.p):
		s.i = i
		s.fail("it ends inside of a string")
		return -1
	case s.p[i] != '\\':
		s.i = i
		s.fail("a control character in a string is written as an escape")
		return -1
	}
	if i+1 < len(s.p) {
		switch s.p[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return i + 2
		case 'u':
			if _, ok := hex4(s.p[i+2:]); ok {
				return i + 6
			}
		}
	}
	s.i = i
	s.fail("this is no escape")
	return -1
}

// hex4 reads the four digits of a \u escape.
func hex4(p []byte) (r rune, ok bool) {
	if len(p) < 4 {
		return 0, false
	}
	for _, c := range p[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
