package longwire

import (
	"strconv"
	"strings"
	"time"

	"github.com/longwire/longwire/wire"
)

// A Position means "everything up to here was delivered". It is opaque ASCII of
// at most 128 bytes, without white space, quotes, commas or slashes. It is all
// that resuming needs, on any transport and any node.
type Position string

// A position is the epoch of the partition in base 36, the number of the
// publication in decimal, and the second at which it was true, as Unix time in
// base 36: k3f9-42-t3k1c0.
type position struct {
	epoch  uint32
	number uint64
	second int64
}

func formatPosition(epoch uint32, number uint64, t time.Time) Position {
	var b [40]byte
	return Position(appendPosition(b[:0], epoch, number, t))
}

func appendPosition(dst []byte, epoch uint32, number uint64, t time.Time) []byte {
	dst = strconv.AppendUint(dst, uint64(epoch), 36)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, number, 10)
	dst = append(dst, '-')
	return strconv.AppendInt(dst, max(0, t.Unix()), 36)
}

// parsePosition reads a position. It is canonical: only what formatPosition
// makes is read. Whether it was ever given out is not known here.
func parsePosition(s string) (p position, ok bool) {
	if len(s) > wire.MaxPosition {
		return p, false
	}
	epoch, rest, ok1 := strings.Cut(s, "-")
	number, second, ok2 := strings.Cut(rest, "-")
	if !ok1 || !ok2 {
		return p, false
	}
	e, err1 := strconv.ParseUint(epoch, 36, 32)
	n, err2 := strconv.ParseUint(number, 10, 63)
	t, err3 := strconv.ParseInt(second, 36, 40)
	if err1 != nil || err2 != nil || err3 != nil || t < 0 {
		return p, false
	}
	p = position{uint32(e), n, t}
	return p, s == string(formatPosition(p.epoch, p.number, time.Unix(t, 0)))
}
