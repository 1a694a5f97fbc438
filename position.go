package longwire

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/longwire/longwire/wire"
)

// A Position means "everything up to here was delivered". It is opaque ASCII of
// at most 128 bytes, without white space, quotes, commas or slashes. It is all
// that resuming needs, on any transport and any node.
type Position string

// A position is an epoch in base 36, numbers, and the second at which it was true, as Unix
// time in base 36:
//
//	k3f9-42-t3k1c0        of a channel in partition 0, or of everything, where there is no other
//	k3f9-3~42-t3k1c0      of a channel in partition 3
//	k3f9-1A.0.b-t3k1c0    of everything: a number for each partition, in base 62
type position struct {
	epoch  uint32
	part   int
	number uint64 // in the partition; where there is one for each, behind all there can be
	second int64
	each   *marks // nil with one number
	parts  int    // of each
}

func formatPosition(epoch uint32, number uint64, t time.Time) Position {
	var b [40]byte
	return Position(appendPosition(b[:0], epoch, number, t))
}

func appendPosition(dst []byte, epoch uint32, number uint64, t time.Time) []byte {
	dst = strconv.AppendUint(dst, uint64(epoch), 36)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, number, 10)
	return appendSecond(dst, t)
}

func appendSecond(dst []byte, t time.Time) []byte {
	return strconv.AppendInt(append(dst, '-'), max(0, t.Unix()), 36)
}

// formatIn returns the position of a channel in one of several partitions.
func formatIn(epoch uint32, part int, number uint64, t time.Time) Position {
	if part == 0 {
		return formatPosition(epoch, number, t)
	}
	b := strconv.AppendUint(make([]byte, 0, 48), uint64(epoch), 36)
	b = append(strconv.AppendInt(append(b, '-'), int64(part), 10), '~')
	return Position(appendSecond(strconv.AppendUint(b, number, 10), t))
}

// formatMarks returns the position of everything.
func formatMarks(epoch uint32, m *marks, parts int, t time.Time) Position {
	b := append(strconv.AppendUint(make([]byte, 0, 64), uint64(epoch), 36), '-')
	for i := range parts {
		if i > 0 {
			b = append(b, '.')
		}
		b = append62(b, m[i])
	}
	return Position(appendSecond(b, t))
}

func (p *position) format() Position {
	t := time.Unix(p.second, 0)
	if p.each != nil {
		return formatMarks(p.epoch, p.each, p.parts, t)
	}
	return formatIn(p.epoch, p.part, p.number, t)
}

// in returns the number that a position has for a partition of so many. Without one it is as good
// as one that never was.
func (p *position) in(part, parts int) uint64 {
	switch {
	case p.each != nil && p.parts == parts:
		return p.each[part]
	case p.each == nil && p.part == part:
		return p.number
	}
	return noNumber
}

// noNumber is behind all numbers there can be.
const noNumber = math.MaxInt64

// parsePosition reads a position. It is canonical: only what format makes is
// read. Whether it was ever given out is not known here.
func parsePosition(s string) (p position, ok bool) {
	if len(s) > wire.MaxPosition {
		return p, false
	}
	epoch, rest, ok1 := strings.Cut(s, "-")
	numbers, second, ok2 := strings.Cut(rest, "-")
	if !ok1 || !ok2 {
		return p, false
	}
	e, err1 := strconv.ParseUint(epoch, 36, 32)
	t, err2 := strconv.ParseInt(second, 36, 40)
	if err1 != nil || err2 != nil || t < 0 {
		return p, false
	}
	p.epoch, p.second = uint32(e), t
	if strings.Contains(numbers, ".") {
		ok = p.parseEach(numbers)
	} else {
		ok = p.parseOne(numbers)
	}
	return p, ok && s == string(p.format())
}

func (p *position) parseOne(s string) bool {
	if part, number, ok := strings.Cut(s, "~"); ok {
		i, err := strconv.ParseUint(part, 10, 8)
		if err != nil || i >= MaxPartitions {
			return false
		}
		p.part, s = int(i), number
	}
	n, err := strconv.ParseUint(s, 10, 63)
	p.number = n
	return err == nil
}

func (p *position) parseEach(s string) bool {
	p.each, p.number = new(marks), noNumber
	for number := range strings.SplitSeq(s, ".") {
		n, ok := parse62(number)
		if !ok || p.parts == MaxPartitions {
			return false
		}
		p.each[p.parts] = n
		p.parts++
	}
	return true
}

const digits62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func append62(dst []byte, n uint64) []byte {
	var b [11]byte
	i := len(b)
	for more := true; more; more = n > 0 {
		i--
		b[i] = digits62[n%62]
		n /= 62
	}
	return append(dst, b[i:]...)
}

func parse62(s string) (n uint64, ok bool) {
	if s == "" || len(s) > 10 { // 62^10 is below 2^60
		return 0, false
	}
	for _, c := range []byte(s) {
		i := strings.IndexByte(digits62, c)
		if i < 0 {
			return 0, false
		}
		n = n*62 + uint64(i)
	}
	return n, true
}
