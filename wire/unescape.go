package wire

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped appends what a JSON string means, given what stands between its quotes, which was checked.
// It is never longer, so dst may be the beginning of s. Half a surrogate pair, which is no character, becomes
// U+FFFD, as encoding/json has it.
func appendUnescaped(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		var n int
		dst, n = appendEscaped(dst, s[i+1:])
		s = s[i+1+n:]
	}
}

// appendEscaped appends the character whose escape s begins with, behind the backslash, and returns the length
// of the escape.
func appendEscaped(dst, s []byte) ([]byte, int) {
	switch c := s[0]; c {
	case 'b':
		return append(dst, '\b'), 1
	case 'f':
		return append(dst, '\f'), 1
	case 'n':
		return append(dst, '\n'), 1
	case 'r':
		return append(dst, '\r'), 1
	case 't':
		return append(dst, '\t'), 1
	case 'u':
	default: // a quote, a backslash, a slash
		return append(dst, c), 1
	}
	r, _ := hex4(s[1:])
	if utf16.IsSurrogate(r) && len(s) >= 11 && s[5] == '\\' && s[6] == 'u' {
		if low, ok := hex4(s[7:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(dst, pair), 11
			}
		}
	}
	return utf8.AppendRune(dst, r), 5 // a lone surrogate is appended as U+FFFD
}
