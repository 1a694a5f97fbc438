package torture

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Layout is how a server keeps what is published.
type Layout struct {
	// Partitions is in how many partitions it keeps each retention class.
	Partitions int
	// Classes is how many retention classes there are, 1 to 3.
	Classes int
}

// String returns the layout in words.
func (y Layout) String() string {
	return fmt.Sprintf("partitions %d, classes %d", y.Partitions, y.Classes)
}

// A class is a retention class beside that of all other channels.
type class struct {
	name     string
	channels []string
	times    int // so many times as much is kept as of others, where not all is
}

// classes are cut so that patterns and lists of names reach across them.
var classes = []class{
	{"few", []string{"room.1", "room.4", "deep.a.b"}, 2},
	{"deep", []string{"deep.>"}, 3},
}

// everything is a count that no channel of a lap comes to.
const everything = 1_000_000

// keeps returns how many publications of a channel are kept at least; zero if all are.
func (l *lap) keeps(channel string) int {
	for _, k := range classes[:l.layout.Classes-1] {
		for _, name := range k.channels {
			if matches(name, channel) {
				return k.times * l.o.Keep
			}
		}
	}
	return l.o.Keep
}

// configure writes the server's configuration, and returns where it is.
func (l *lap) configure() (path string, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "partitions: %d\nhistory-count: %d\nhistory:\n", l.layout.Partitions, cmp.Or(l.o.Keep, everything))
	for _, k := range classes[:l.layout.Classes-1] {
		fmt.Fprintf(&b, "  - name: %s\n    channels: [%s]\n    count: %d\n", k.name, `"`+strings.Join(k.channels, `", "`)+`"`, cmp.Or(k.times*l.o.Keep, everything))
	}
	path = filepath.Join(l.dir, "longwire.yaml")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}
