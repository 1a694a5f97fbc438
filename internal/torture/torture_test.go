package torture

import (
	"flag"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	duration = flag.Duration("duration", 0, "how long to begin laps of torture; zero is one lap")
	seed     = flag.Uint64("seed", 0, "what is left to chance; zero is another each time")
	kills    = flag.Int("kills", 0, "how often to kill the server in a lap; zero is 20")
	raced    = flag.Bool("raced", false, "build the server with the race detector")
)

// TestTorture is promise P2 to the letter: a server that keeps what is published in files is killed twenty times while
// 20 publishers and 100 subscribers use it by all ways, and nothing is lost, nothing comes twice or out of order, and no gap is told.
func TestTorture(t *testing.T) {
	o := &Options{Binary: build(t), Dir: t.ArtifactDir(), Seed: *seed, Duration: *duration, Kills: *kills, Log: t.Output()}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1 << 32)
	}
	t.Logf("to do this again: go test ./internal/torture -run TestTorture -seed %d", o.Seed)
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

// build builds the server.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "longwire")
	args := []string{"build", "-o", binary}
	if *raced {
		args = append(args, "-race")
	}
	began := time.Now()
	out, err := exec.Command("go", append(args, "github.com/longwire/longwire/cmd/longwire")...).CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Logf("built in %v", time.Since(began).Round(time.Millisecond))
	return binary
}
