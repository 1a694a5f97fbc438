package longwire

import (
	"strconv"
	"strings"
	"time"

	"github.com/longwire/longwire/wire"
)

// A since says where a subscription or a read begins (docs/protocol.md, section
// 1.4). One field is set; the zero since is now.
type since struct {
	all  bool
	last int
	age  time.Duration
	at   position // if told
	told bool
}

// maxLast bounds last:N: what is read before anything is sent.
const maxLast = 1_000_000

func parseSince(s string) (since, error) {
	switch s {
	case "", "now":
		return since{}, nil
	case "all":
		return since{all: true}, nil
	}
	if n, ok := strings.CutPrefix(s, "last:"); ok {
		last, err := strconv.ParseUint(n, 10, 31)
		if err == nil && last > 0 && last <= maxLast {
			return since{last: int(last)}, nil
		}
		return since{}, errSince
	}
	if p, ok := parsePosition(s); ok {
		return since{at: p, told: true}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return since{age: d}, nil
	}
	return since{}, errSince
}

var errSince = wire.Errorf(wire.CodeBadRequest,
	"since is a position that the server gave, now, all, last:N (at most %d), or a duration such as 10m", maxLast)

func (s since) now() bool { return s == since{} }

// fill says in r where to begin, in its partition of so many.
func (s since) fill(r *Range, now time.Time, parts int) {
	switch {
	case s.told:
		r.Epoch, r.After, r.Taken = s.at.epoch, s.at.in(r.Partition, parts), time.Unix(s.at.second, 0)
	case s.last > 0:
		r.Last = s.last
	case s.age > 0:
		r.From = now.Add(-s.age)
	}
}
