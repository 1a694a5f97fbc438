// Package leak makes a package's tests fail when they leave goroutines or descriptors behind. It is for
// TestMain only, knows nothing of longwire, and only tests may import it:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
package leak

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// patience is how long what a test left has to end by itself. A goroutine whose channel was closed, or a
// socket whose owner was told to close, needs only a few turns of the scheduler; five seconds are for two
// cores shared with other test binaries under the race detector. A clean package waits for nothing.
const patience = 5 * time.Second

// Main runs m's tests and ends the process. It ends it with 1 if all passed but goroutines or descriptors
// are left that were not there before. Descriptors are looked at on Linux only, by /proc/self/fd.
//
// While fuzzing it only runs the tests: the fuzzing engine's own goroutines and pipes come and go.
func Main(m *testing.M) {
	if fuzzing() {
		os.Exit(m.Run())
	}
	os.Exit(run(m.Run, os.Stderr, patience))
}

func fuzzing() bool {
	if !flag.Parsed() {
		flag.Parse()
	}
	f := flag.Lookup("test.fuzz")
	return f != nil && f.Value.String() != ""
}

// run calls tests between two looks at the process. A failed run is not looked at: what a test leaves when
// it stops in the middle says nothing that its failure does not say better.
func run(tests func() int, out io.Writer, patience time.Duration) int {
	openPoller()
	goroutinesBefore, descriptorsBefore := goroutines(), descriptors()
	if code := tests(); code != 0 {
		return code
	}
	var left []string
	for wait, deadline := time.Millisecond, time.Now().Add(patience); ; wait = min(2*wait, 100*time.Millisecond) {
		left = append(
			added("goroutine", goroutinesBefore, goroutines()),
			added("descriptor", descriptorsBefore, descriptors())...)
		if len(left) == 0 {
			return 0
		}
		if time.Now().After(deadline) {
			break
		}
		// Nothing tells when a goroutine has ended, so this is the one place that polls in real time.
		time.Sleep(wait)
	}
	for _, l := range left {
		fmt.Fprintln(out, l)
	}
	fmt.Fprintf(out, "leak: %d goroutines or descriptors left %v after the last test; close what the tests opened and wait for its end\n", len(left), patience)
	return 1
}

// openPoller makes the runtime open its epoll and eventfd descriptors now: it does so with the first
// socket and keeps them.
func openPoller() {
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
	}
}

// added describes what is in after and not in before, in a stable order.
func added(what string, before, after set) []string {
	var list []string
	for _, id := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[id]; !ok {
			list = append(list, fmt.Sprintf("leak: %s %s %s", what, id, after[id]))
		}
	}
	return list
}
