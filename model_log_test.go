package longwire_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/longwire/longwire"
)

// A modelLog is what the model knows to be true: every publication with its number,
// as the broker has it, whatever has become of it since.
type modelLog struct {
	mu sync.Mutex
	// Guarded by mu.
	epoch uint32
	pubs  []*longwire.Publication // number n at n-1; nil while it is not known
	known uint64                  // all up to here are known
	fed   uint64                  // the node was told of all up to here
	names map[string][]uint64     // the numbers up to known of each name's publications
}

func newModelLog() *modelLog {
	return &modelLog{names: map[string][]uint64{}}
}

// note is told of a publication by whoever hears of it first.
func (g *modelLog) note(p *longwire.Publication) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for uint64(len(g.pubs)) < p.Number {
		g.pubs = append(g.pubs, nil)
	}
	if g.pubs[p.Number-1] != nil {
		return
	}
	g.pubs[p.Number-1] = p
	for g.known < uint64(len(g.pubs)) && g.pubs[g.known] != nil {
		g.known++
		for name, list := range g.names {
			if modelMatches(name, g.pubs[g.known-1].Channel) {
				g.names[name] = append(list, g.known)
			}
		}
	}
}

// head returns the number up to which everything is known.
func (g *modelLog) head() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known
}

// told returns the number up to which the node was told.
func (g *modelLog) told() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fed
}

func (g *modelLog) publication(n uint64) *longwire.Publication {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n == 0 || n > uint64(len(g.pubs)) {
		return nil
	}
	return g.pubs[n-1]
}

// of returns the numbers of what a name stands for, above after and up to upTo.
func (g *modelLog) of(name string, after, upTo uint64) []uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	list, ok := g.names[name]
	if !ok {
		for n := uint64(1); n <= g.known; n++ {
			if modelMatches(name, g.pubs[n-1].Channel) {
				list = append(list, n)
			}
		}
		g.names[name] = list
	}
	i, _ := slices.BinarySearch(list, after+1)
	j, _ := slices.BinarySearch(list, upTo+1)
	return list[min(i, j):j]
}

// modelMatches is what DESIGN says of names and patterns, as simply as it can be said.
func modelMatches(name, channel string) bool {
	p, c := strings.Split(name, "."), strings.Split(channel, ".")
	for i, t := range p {
		switch {
		case t == ">":
			return len(c) > i
		case i >= len(c) || t != "*" && t != c[i]:
			return false
		}
	}
	return len(p) == len(c)
}

// A modelPosition is a position taken apart, which clients must not do.
type modelPosition struct {
	epoch  uint32
	number uint64
	second int64
	text   string
}

func parseModelPosition(s string) (p modelPosition, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return p, false
	}
	e, err1 := strconv.ParseUint(parts[0], 36, 32)
	n, err2 := strconv.ParseUint(parts[1], 10, 63)
	t, err3 := strconv.ParseInt(parts[2], 36, 64)
	return modelPosition{uint32(e), n, t, s}, err1 == nil && err2 == nil && err3 == nil
}
