package brokertest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
)

// patience is how long what must come may take, on a machine that has much else
// to do. Nothing waits that long when all is well.
const patience = 20 * time.Second

// A behaviour is one clause of the contract. Each can be run alone:
// go test -run 'TestBroker/partitions=8/keys'.
type behaviour struct {
	name  string
	test  func(s *suite)
	needs func(m *Maker) bool // nil: nothing
}

var behaviours = []behaviour{
	{"numbers", (*suite).countsPartitions, nil},
	{"order", (*suite).keepsOrder, nil},
	{"done publishes", (*suite).donePublishes, nil},

	{"keys", (*suite).keysOnce, nil},
	{"keys at once", (*suite).keysAtOnce, nil},
	{"key window", (*suite).keyWindow, nil},

	{"content", (*suite).keepsContent, nil},

	{"read", (*suite).readsNames, nil},
	{"read last", (*suite).readsLast, nil},
	{"read from", (*suite).readsFrom, nil},
	{"read ends", (*suite).readEnds, nil},
	{"read stops", (*suite).readStops, nil},

	{"count", (*suite).boundsCount, nil},
	{"age", (*suite).boundsAge, nil},
	{"bytes", (*suite).boundsBytes, nil},
	{"classes", (*suite).boundsClasses, nil},

	{"gaps", (*suite).gapsByCount, nil},
	{"gaps again", (*suite).gapsAgain, nil},
	{"gaps by age", (*suite).gapsByAge, nil},
	{"gaps by bytes", (*suite).gapsByBytes, nil},
	{"gaps after forget", (*suite).gapsForgotten, nil},
	{"gaps on the way", (*suite).gapsOnTheWay, nil},

	{"follow", (*suite).follows, nil},
	{"follow under load", (*suite).followsUnderLoad, nil},
	{"follow ends", (*suite).followEnds, nil},
	{"sink publishes", (*suite).sinkPublishes, nil},
	{"readable when told", (*suite).readableWhenTold, nil},
	{"interrupted", (*suite).interrupted, canInterrupt},

	{"many channels", (*suite).manyChannels, nil},
	{"no history", (*suite).noHistory, nil},

	{"close", (*suite).closes, nil},
	{"reopen", (*suite).reopens, canReopen},
	{"kill", (*suite).killed, canKill},
	{"kill twice", (*suite).killedTwice, canKill},
	{"kill under load", (*suite).killedUnderLoad, canKill},
}

func canReopen(m *Maker) bool    { return m.Reopen != nil }
func canKill(m *Maker) bool      { return m.Kill != nil && m.Reopen != nil }
func canInterrupt(m *Maker) bool { return m.Interrupt != nil }

// Run tries everything that a broker promises.
func Run(t *testing.T, m Maker) {
	if m.Age == 0 {
		m.Age = time.Second
	}
	for _, each := range []int{1, 8} {
		t.Run(fmt.Sprintf("partitions=%d", each), func(t *testing.T) {
			for _, b := range behaviours {
				if b.needs != nil && !b.needs(&m) {
					continue
				}
				t.Run(b.name, func(t *testing.T) {
					if m.Virtual {
						synctest.Test(t, func(t *testing.T) { try(t, &m, each, b.test) })
						return
					}
					try(t, &m, each, b.test)
				})
			}
		})
	}
}

// A suite is what one behaviour is tried with.
type suite struct {
	*testing.T
	Maker
	each int // partitions of a class

	// Owned by the goroutine of the test.
	b  longwire.Broker // the one that is open
	up bool            // it is to be closed

	mu   sync.Mutex
	ears []*ear // guarded by mu
}

func try(t *testing.T, m *Maker, each int, test func(*suite)) {
	s := &suite{T: t, Maker: *m, each: each}
	defer func() {
		if s.up {
			s.close()
		}
		for _, e := range s.ears { // a test that has failed may not have come to that
			e.stop()
		}
	}()
	test(s)
}

// open opens a broker with one class.
func (s *suite) open(c longwire.Class) {
	c.Name = "default"
	s.openAs(Options{Classes: []longwire.Class{c}})
}

func (s *suite) openAs(o Options) {
	s.Helper()
	o.Partitions = s.each
	s.b, s.up = s.Open(s.T, o), true
	if n := len(o.Classes) * s.each; s.partitions() != n {
		s.Fatalf("the broker has %d partitions, not %d", s.partitions(), n)
	}
}

func (s *suite) close() {
	s.Helper()
	s.up = false
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.b.Close(ctx); err != nil {
		s.Errorf("Close: %v", err)
	}
}

// reopen closes the broker and opens it again.
func (s *suite) reopen() {
	s.Helper()
	s.close()
	s.b, s.up = s.Reopen(s.T, s.b), true
}

// rise kills the broker and opens it again.
func (s *suite) rise() {
	s.Helper()
	s.up = false
	s.Kill(s.T, s.b)
	s.b, s.up = s.Reopen(s.T, s.b), true
}

// await waits until something is so. That is a look every few milliseconds, because
// nobody tells when a publication grows old.
func (s *suite) await(what string, so func() bool) {
	s.Helper()
	for begun := time.Now(); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > patience+s.Age {
			s.Fatalf("no %s after %v", what, patience+s.Age)
		}
	}
}

// wait waits for an event.
func (s *suite) wait(what string, c <-chan struct{}) {
	s.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-c:
	case <-late.C:
		s.Fatalf("no %s after %v", what, patience)
	}
}
