package frame

import "unicode/utf8"

// UTF8 checks that bytes which come in pieces are UTF-8 (RFC 3629). It fails at the first byte that no continuation
// could repair, so an overlong form, a surrogate or a value over U+10FFFF is refused at its second byte, wherever the
// pieces were cut. The zero value is at the start of a text.
type UTF8 struct {
	need   uint8 // bytes that the sequence under way still lacks
	lo, hi uint8 // bounds of the next of them
}

// Write reports whether everything written so far can be the beginning of valid UTF-8. Once false it stays false.
func (u *UTF8) Write(p []byte) bool {
	for len(p) > 0 && u.need > 0 {
		if !u.step(p[0]) {
			return false
		}
		p = p[1:]
	}
	whole := len(p) - unfinished(p)
	if !utf8.Valid(p[:whole]) {
		u.fail()
		return false
	}
	for _, c := range p[whole:] {
		if !u.step(c) {
			return false
		}
	}
	return u.need == 0 || u.lo <= u.hi
}

// Done reports whether the text may end here: it was valid, and no sequence is under way.
func (u *UTF8) Done() bool { return u.need == 0 }

// fail leaves a state that no byte can leave again: one more byte needed, of an empty range.
func (u *UTF8) fail() { *u = UTF8{need: 1, lo: 0xFF, hi: 0x00} }

func (u *UTF8) step(c byte) bool {
	if u.need > 0 {
		if c < u.lo || c > u.hi {
			u.fail()
			return false
		}
		*u = UTF8{need: u.need - 1, lo: 0x80, hi: 0xBF}
		return true
	}
	// The table of well-formed sequences in RFC 3629, 4: the lead byte bounds the second one.
	switch {
	case c < 0x80:
	case c >= 0xC2 && c <= 0xDF:
		*u = UTF8{need: 1, lo: 0x80, hi: 0xBF}
	case c == 0xE0:
		*u = UTF8{need: 2, lo: 0xA0, hi: 0xBF}
	case c == 0xED:
		*u = UTF8{need: 2, lo: 0x80, hi: 0x9F}
	case c >= 0xE1 && c <= 0xEF:
		*u = UTF8{need: 2, lo: 0x80, hi: 0xBF}
	case c == 0xF0:
		*u = UTF8{need: 3, lo: 0x90, hi: 0xBF}
	case c >= 0xF1 && c <= 0xF3:
		*u = UTF8{need: 3, lo: 0x80, hi: 0xBF}
	case c == 0xF4:
		*u = UTF8{need: 3, lo: 0x80, hi: 0x8F}
	default:
		u.fail()
		return false
	}
	return true
}

// unfinished counts the bytes at the end of p that begin a sequence and do not end it: at most three.
func unfinished(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if !utf8.RuneStart(p[len(p)-n]) {
			continue
		}
		if utf8.FullRune(p[len(p)-n:]) {
			return 0
		}
		return n
	}
	return 0
}
