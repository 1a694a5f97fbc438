package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The tokens of JSON text (RFC 8259) that are longer than a byte. Each function walks the one that begins at
// p[i] and returns the place behind it. Where the text breaks it returns the complement of that place, which
// is negative.

// textNotes are what was seen in strings.
type textNotes uint8

const (
	escaped textNotes = 1 << iota // there is a backslash
	badText                       // something is not UTF-8
)

const (
	ones     = 0x0101010101010101
	highBits = 0x80 * ones
)

// special marks, in the highest bit of its byte, the first byte of w that cannot stand in a string as it is:
// a quote, a backslash or a control character. Bytes above the first may be marked wrongly, by a borrow.
//
// Changing the second bit makes the quote (0x22) a space and leaves control characters what they are, so that
// both are what is below 0x21 then.
func special(w uint64) uint64 {
	quotes, slashes := w^0x02*ones, w^'\\'*ones
	return ((quotes - 0x21*ones) | (slashes - ones)) &^ w & highBits
}

// plain reports whether c can stand in a string as it is.
func plain(c byte) bool { return c >= ' ' && c != '"' && c != '\\' }

// stringAt walks a string. Strings are most of any frame, so they are walked eight bytes a step, and looked at
// as text only if something in them is not ASCII, and it is not known that they are UTF-8.
func stringAt(p []byte, i int, isUTF8 bool) (end int, notes textNotes) {
	i++
	start := i
	var high uint64
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
		for i < len(p) && plain(p[i]) { // the last seven bytes, or none
			high |= uint64(p[i])
			i++
		}
		if i < len(p) && p[i] == '"' {
			break
		}
		notes |= escaped
		if i = escapeAt(p, i); i < 0 {
			return i, notes
		}
	}
	if high&highBits != 0 && !isUTF8 && !utf8.Valid(p[start:i]) {
		notes |= badText
	}
	return i + 1, notes
}

func escapeAt(p []byte, i int) int {
	if i+1 >= len(p) || p[i] != '\\' {
		return ^i
	}
	switch p[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if _, ok := hex4(p[i+2:]); ok {
			return i + 6
		}
	}
	return ^i
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

// wordAt walks true, false, null or a number.
func wordAt(p []byte, i int) int {
	if i >= len(p) {
		return ^i
	}
	switch p[i] {
	case 't':
		return literalAt(p, i, "true")
	case 'f':
		return literalAt(p, i, "false")
	case 'n':
		return literalAt(p, i, "null")
	}
	return numberAt(p, i)
}

func literalAt(p []byte, i int, word string) int {
	if len(p)-i < len(word) || string(p[i:i+len(word)]) != word {
		return ^i
	}
	return i + len(word)
}

func numberAt(p []byte, i int) int {
	if p[i] == '-' {
		i++
	}
	if i < len(p) && p[i] == '0' {
		i++
	} else if i = digitsAt(p, i); i < 0 {
		return i
	}
	if i < len(p) && p[i] == '.' {
		if i = digitsAt(p, i+1); i < 0 {
			return i
		}
	}
	if i < len(p) && p[i]|0x20 == 'e' {
		i++
		if i < len(p) && (p[i] == '+' || p[i] == '-') {
			i++
		}
		return digitsAt(p, i)
	}
	return i
}

// digitsAt walks digits, at least one.
func digitsAt(p []byte, i int) int {
	start := i
	for i < len(p) && p[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return ^i
	}
	return i
}
