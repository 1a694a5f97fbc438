package wire

import (
	"encoding/base64"
	"math/bits"
	"strconv"
	"time"
	"unicode/utf8"
)

// Frames are written by appending their pieces. All text goes through AppendString, so that whatever is in
// it, a frame is one line of JSON.

// AppendString appends s as a JSON string (RFC 8259, section 7). What is not UTF-8 becomes U+FFFD, one for
// each byte.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from, i := 0, 0
	for {
		var high uint64
		for i+8 <= len(s) {
			w := load(s, i)
			if m := special(w); m != 0 {
				n := bits.TrailingZeros64(m) &^ 7
				high |= w & (1<<n - 1)
				i += n / 8
				break
			}
			high |= w
			i += 8
		}
		for i < len(s) && plain(s[i]) {
			high |= uint64(s[i])
			i++
		}
		start := len(dst)
		dst = append(dst, s[from:i]...)
		if high&highBits != 0 && !utf8.Valid(dst[start:]) {
			dst = repair(dst, start)
		}
		if i == len(s) {
			return append(dst, '"')
		}
		dst = appendEscape(dst, s[i])
		i++
		from = i
	}
}

// load returns eight bytes of s, the first one lowest. The compiler makes one load of it.
func load[T string | []byte](s T, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// repair makes UTF-8 of dst from start on.
func repair(dst []byte, start int) []byte {
	broken := string(dst[start:])
	dst = dst[:start]
	for _, r := range broken {
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

const hexDigits = "0123456789abcdef"

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// AppendMember appends a member with a string, and the comma before it: ,"position":"…". Here and below the
// name is taken as it is.
func AppendMember[T string | []byte](dst []byte, name string, value T) []byte {
	return AppendString(appendName(dst, name), value)
}

// AppendNumber appends a member with a number.
func AppendNumber(dst []byte, name string, n int64) []byte {
	return strconv.AppendInt(appendName(dst, name), n, 10)
}

// AppendTrue appends a member that is true. One that is false is left out of a frame.
func AppendTrue(dst []byte, name string) []byte {
	return append(appendName(dst, name), "true"...)
}

func appendName(dst []byte, name string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// appendSome appends a member with a string unless that is empty.
func appendSome(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return AppendMember(dst, name, value)
}

// AppendData appends the members that carry data, and the comma before them: JSON as a value, as it is, so it
// must be valid and without white space between its tokens ([CheckJSON], [AppendCompact]), and null if there is
// nothing; text as a string; a content type that is neither, and other bytes, as base64.
func AppendData(dst []byte, t Type, contentType string, data []byte) []byte {
	switch {
	case contentType != "":
		dst = AppendMember(dst, "type", contentType)
	case t == JSON && len(data) == 0:
		return append(dst, `,"data":null`...)
	case t == JSON:
		return append(append(dst, `,"data":`...), data...)
	case t == Text:
		return AppendString(append(dst, `,"type":"text","data":`...), data)
	}
	dst = append(dst, `,"data64":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, data), '"')
}

// AppendTime appends t in UTC with milliseconds, as RFC 3339 has it: 2026-11-22T12:00:00.000Z. Years are those
// that RFC 3339 knows; a time beyond them becomes the first or last of them.
func AppendTime(dst []byte, t time.Time) []byte {
	const first, last = -62167219200, 253402300799 // the years 0 to 9999
	sec, ms := t.Unix(), t.Nanosecond()/1e6
	switch {
	case sec < first:
		sec, ms = first, 0
	case sec > last:
		sec, ms = last, 999
	}
	sec -= first
	year, month, day := date(int(sec / 86400))
	clock := int(sec % 86400)
	return append(dst,
		digit(year/1000), digit(year/100), digit(year/10), digit(year), '-', digit(month/10), digit(month), '-', digit(day/10), digit(day),
		'T', digit(clock/36000), digit(clock/3600), ':', digit(clock/600%6), digit(clock/60), ':', digit(clock/10%6), digit(clock),
		'.', digit(ms/100), digit(ms/10), digit(ms), 'Z')
}

func digit(n int) byte { return '0' + byte(n%10) }

// date returns the date of a day, counted from the first of January of the year 0 in the Gregorian calendar.
// It counts in years that begin with March, so that the day which is not always there is the last of a year,
// and of four years, and of four centuries.
func date(n int) (year, month, day int) {
	const fourYears, century, fourCenturies = 4*365 + 1, 25*(4*365+1) - 1, 4*(25*(4*365+1)-1) + 1
	n += fourCenturies - (31 + 29) // since the first of March of the year -400
	year = n/fourCenturies*400 - 400
	n %= fourCenturies
	c := min(n/century, 3)
	n -= c * century
	q := n / fourYears
	n %= fourYears
	y := min(n/365, 3)
	n -= y * 365
	year += c*100 + q*4 + y
	m := (5*n + 2) / 153 // months of 31, 30, 31, 30 and 31 days, again and again: 153 in five
	day = n - (153*m+2)/5 + 1
	if m < 10 {
		return year, m + 3, day
	}
	return year + 1, m - 9, day
}

// ShortReason cuts a reason to [MaxReason] bytes, between characters.
func ShortReason(s string) string {
	if len(s) <= MaxReason {
		return s
	}
	end := MaxReason
	for end > MaxReason-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// Millis returns d in milliseconds, as the wire has it: rounded up, so that soon is not at once, and -1 for
// any negative time, which is never.
func Millis(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return int64(d/time.Millisecond) + min(1, int64(d%time.Millisecond))
}
