package torture

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	duration = flag.Duration("torture.duration", 0, "begin laps of TestTorture for so long; zero is one lap")
	seed     = flag.Uint64("torture.seed", 0, "what TestTorture leaves to chance; zero is another each time")
	binary   = flag.String("torture.binary", "", "the server to torture; empty builds it")
	parts    = flag.Int("torture.partitions", 0, "in how many partitions the server keeps publications; zero leaves that to the seed")
	classed  = flag.Int("torture.classes", 1, "how many retention classes it has, with -torture.partitions")
	raced    = flag.Bool("torture.raced", false, "build the server with the race detector")
)

// TestTorture is promise P2 to the letter: a server that keeps what is published in files is killed twenty times while
// 20 publishers and 100 subscribers use it by all ways, and nothing is lost, nothing comes twice or out of order, and no gap is told.
func TestTorture(t *testing.T) {
	o := &Options{Binary: build(t), Dir: t.ArtifactDir(), Seed: *seed, Duration: *duration, Layouts: layouts(Layout{3, 3}, Layout{8, 2}), Log: t.Output()}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1 << 32)
	}
	t.Logf("to do this again: go test ./internal/torture -run TestTorture -torture.seed %d", o.Seed)
	total, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, total)
	}
	for _, w := range ways {
		if total.Links[w.name] < 2 || total.ReceivedBy[w.name] == 0 {
			t.Errorf("by %s there were %d links, which received %d publications", w.name, total.Links[w.name], total.ReceivedBy[w.name])
		}
	}
	if total.Unknown == 0 {
		t.Error("no publication was cut: the server was not killed while it was used")
	}
}

// TestTortureGaps is the rest of it: a server that keeps little loses what is too old, and tells so by a gap before anything
// later, and never else.
func TestTortureGaps(t *testing.T) {
	o := &Options{
		Binary: build(t), Dir: t.ArtifactDir(), Seed: *seed, Duration: *duration, Layouts: layouts(Layout{1, 1}), Log: t.Output(),
		Keep: 50, Least: 600, Large: true, Pace: 80 * time.Millisecond, Subscribers: 60, Stop: 4 * time.Second,
		Kills: 5, Uptime: 4 * time.Second,
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1 << 32)
	}
	t.Logf("to do this again: go test ./internal/torture -run TestTortureGaps -torture.seed %d", o.Seed)
	total, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, total)
	}
	if total.Gaps == 0 {
		t.Error("nobody was told of a gap")
	}
}

// TestTortureFindsWhatIsLost tortures a server that keeps everything in memory, which has nothing after a kill: the harness
// has to notice that from end to end. All subscribers come back with what was of an earlier life of it, and yet are to come to the end.
func TestTortureFindsWhatIsLost(t *testing.T) {
	o := &Options{Binary: build(t), Dir: t.ArtifactDir(), Data: "memory", Seed: 1, Kills: 2, Publishers: 8, Subscribers: 30}
	_, err := Run(t.Context(), o)
	found, ok := errors.AsType[*FoundError](err)
	if !ok {
		t.Fatalf("nothing was found: %v", err)
	}
	if late, ok := errors.AsType[*lateError](err); ok {
		t.Error(late)
	}
	count := map[string]int{}
	for i := range found.Faults {
		count[found.Faults[i].What]++
	}
	for _, what := range []string{Lost, Vanished, FalseGap} {
		if count[what] == 0 {
			t.Errorf("nothing of this kind was found: %s\n%v", what, err)
		}
	}
}

// layouts are those of one lap, in CI, which so has both tests cover one and several partitions; of many laps each may have any.
func layouts(once ...Layout) []Layout {
	switch {
	case *parts > 0:
		return []Layout{{*parts, *classed}}
	case *duration > 0:
		return []Layout{{1, 1}, {1, 3}, {3, 3}, {8, 2}}
	}
	return once
}

// build builds the server.
func build(t *testing.T) string {
	t.Helper()
	if *binary != "" {
		return *binary
	}
	path := filepath.Join(t.TempDir(), "longwire")
	args := []string{"build", "-o", path}
	if *raced {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/longwire/longwire/cmd/longwire")...).CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}
