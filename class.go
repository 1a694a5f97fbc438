package longwire

import (
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/longwire/longwire/wire"
)

// A Class says how much history the channels have that match its patterns. The
// zero Class has the defaults that its fields tell. Where data that outlives the process was
// kept by classes of other names, patterns or order, every position of before is followed by a gap.
type Class struct {
	// Name is 1 to 32 of a-z, 0-9 and "-". What is kept is found again by it.
	Name string
	// Patterns are channels and patterns. A channel is of the first class in which one
	// matches; a class without patterns takes all.
	Patterns []string
	// Count is how many publications of a channel a position may lie behind the last; one
	// more is kept; a billion at most. Zero means 1,000, negative no history.
	Count int
	// Age is how long a publication is kept. Zero means 24 h, negative for ever.
	Age time.Duration
	// Bytes bounds what each partition of the class keeps; the oldest go first. Zero
	// means 1 GiB, negative is no bound.
	Bytes int64
	// Memory keeps the class in memory, whatever the broker: it is gone after a restart.
	Memory bool
	// Behind is for channels without history: what becomes of publications for whom the
	// link is behind. Zero drops the oldest of those that wait.
	Behind Policy
}

// maxCount is where counting ends: far beyond what any channel has, and one more is a number, too.
const maxCount = 1_000_000_000

// KeepsHistory reports whether channels of the class have history.
func (c *Class) KeepsHistory() bool { return c.Count >= 0 }

// A Layout says where channels live: of which class each is, and in which of the
// class's partitions. Partitions are counted through all classes, those of the first
// one first. Its methods may be called from any goroutine.
type Layout struct {
	classes []Class
	each    int // partitions of a class
}

// MaxPartitions bounds the partitions of all classes together, so that one position of
// at most 128 bytes can speak of all of them.
const MaxPartitions = 16

// NewLayout checks classes and fills in their defaults; each has so many partitions. Without
// a class that takes all there is one more, named default, which does.
func NewLayout(classes []Class, each int) (*Layout, error) {
	l := &Layout{each: each}
	seen := map[string]bool{}
	all := false
	for _, c := range classes {
		if err := c.check(); err != nil {
			return nil, err
		}
		if seen[c.Name] {
			return nil, wire.Errorf(wire.CodeBadRequest, "two retention classes are named %s; give each a name of its own", c.Name)
		}
		seen[c.Name] = true
		all = all || len(c.Patterns) == 0
		l.classes = append(l.classes, c.filled())
	}
	if !all {
		c := Class{Name: "default"}
		if seen[c.Name] {
			return nil, wire.Errorf(wire.CodeBadRequest, "the retention class named default takes all channels that no other takes; leave its patterns out")
		}
		l.classes = append(l.classes, c.filled())
	}
	if n := l.Partitions(); each < 1 || n > MaxPartitions {
		return nil, wire.Errorf(wire.CodeBadRequest, "retention classes times the partitions of each are %d × %d = %d partitions, and 1 to %d can be; have fewer classes or fewer partitions",
			len(l.classes), each, n, MaxPartitions)
	}
	return l, nil
}

func (c *Class) check() error {
	if c.Behind >= policies {
		return wire.Errorf(wire.CodeBadRequest, "retention class %s: there is no policy %d", c.Name, c.Behind)
	}
	if c.Name == "" || len(c.Name) > 32 || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return wire.Errorf(wire.CodeBadRequest, "%.80q is no name for a retention class; it is 1 to 32 of a-z, 0-9 and -", c.Name)
	}
	if c.Count > maxCount {
		return wire.Errorf(wire.CodeBadRequest, "retention class %s has a count of %d, and the most is %d; have bytes and age bound it", c.Name, c.Count, maxCount)
	}
	for _, p := range c.Patterns {
		if err := wire.CheckPattern(p); err != nil {
			return wire.Errorf(wire.CodeBadRequest, "retention class %s: %.80q is no channel and no pattern", c.Name, p)
		}
	}
	return nil
}

func (c Class) filled() Class {
	if c.Count == 0 {
		c.Count = memCount
	}
	if c.Age == 0 {
		c.Age = memAge
	}
	if c.Bytes == 0 {
		c.Bytes = memBytes
	}
	return c
}

// Partitions returns how many there are.
func (l *Layout) Partitions() int { return len(l.classes) * l.each }

// Partition returns where a channel lives. It depends on the channel's name, the
// classes' patterns and the number of partitions, and on nothing else.
func (l *Layout) Partition(channel string) int {
	i := l.classOf(channel) * l.each
	if l.each > 1 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(channel))
		i += int(h.Sum32() % uint32(l.each))
	}
	return i
}

// Class returns the class of a partition, with its defaults filled in.
func (l *Layout) Class(partition int) Class { return l.classes[partition/l.each] }

// ClassOf returns the class of a channel.
func (l *Layout) ClassOf(channel string) Class { return l.classes[l.classOf(channel)] }

// Keeps reports whether a channel has history, or whether all do that may match a pattern.
func (l *Layout) Keeps(name string) bool {
	if !wire.IsPattern(name) {
		return l.classes[l.classOf(name)].KeepsHistory()
	}
	return !slices.ContainsFunc(l.classes, func(c Class) bool { return !c.KeepsHistory() && c.overlaps(name) })
}

// overlaps reports whether a class may have channels that match a pattern.
func (c *Class) overlaps(pattern string) bool {
	return len(c.Patterns) == 0 || slices.ContainsFunc(c.Patterns, func(p string) bool { return wire.Overlap(p, pattern) })
}

// Behind returns the policy of a channel without history.
func (l *Layout) Behind(channel string) Policy { return l.classes[l.classOf(channel)].Behind }

// Each returns how many partitions each class has.
func (l *Layout) Each() int { return l.each }

func (l *Layout) classOf(channel string) int {
	for i := range l.classes {
		patterns := l.classes[i].Patterns
		if len(patterns) == 0 {
			return i
		}
		for _, p := range patterns {
			if wire.Matches(p, channel) {
				return i
			}
		}
	}
	return len(l.classes) - 1 // there is one that takes all
}
