package brokertest

import (
	"fmt"
	"strings"

	"github.com/longwire/longwire"
)

// partitions returns how many partitions the broker has.
func (s *suite) partitions() int {
	if p, ok := s.b.(longwire.Partitioned); ok {
		return p.Partitions()
	}
	return 1
}

// partition returns where a channel lives.
func (s *suite) partition(channel string) int {
	if p, ok := s.b.(longwire.Partitioned); ok {
		return p.Partition(channel)
	}
	return 0
}

// mates returns channels prefix.0, prefix.7, …, that live in the partition of the first.
func (s *suite) mates(prefix string, n int) (names []string) {
	s.Helper()
	for i := 0; len(names) < n; i++ {
		name := fmt.Sprintf("%s.%d", prefix, i)
		if s.partition(name) == s.partition(prefix+".0") {
			names = append(names, name)
		}
		if i == 10_000 {
			s.Fatalf("of %d channels %d live where the first does", i, len(names))
		}
	}
	return names
}

// stranger returns a channel that lives elsewhere; with one partition there is none.
func (s *suite) stranger(channel string) (name string, ok bool) {
	for i := range 10_000 {
		if name = fmt.Sprint("stranger.", i); s.partition(name) != s.partition(channel) {
			return name, true
		}
	}
	return "", false
}

// matches reports whether a channel is meant by a name or pattern.
func matches(pattern, channel string) bool {
	want, have := strings.Split(pattern, "."), strings.Split(channel, ".")
	for i, w := range want {
		switch {
		case w == ">":
			return len(have) > i
		case i >= len(have) || w != "*" && w != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}

// meant reports whether a channel is meant by one of them.
func meant(names []string, channel string) bool {
	for _, n := range names {
		if matches(n, channel) {
			return true
		}
	}
	return false
}

// many adds so many names that a broker may well read them in another way.
func many(names ...string) []string {
	for i := range 64 {
		names = append(names, fmt.Sprint("never.", i))
	}
	return names
}
