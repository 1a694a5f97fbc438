package linktest

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/longwire/longwire"
)

// patience is how long what must come may take, on a machine that has much else
// to do. Nothing waits that long when all is well.
const patience = 20 * time.Second

// A setting is one row of the matrix that every behaviour is tried in.
type setting struct {
	name       string
	goroutines bool
	onLoop     bool
}

var settings = []setting{
	{"parked/onloop", false, true},
	{"parked/handlers", false, false},
	{"unparked/onloop", true, true},
	{"unparked/handlers", true, false},
}

// A suite is what the behaviours of one row share.
type suite struct {
	Way
	setting
	engine *longwire.Engine
}

// A behaviour is one clause of the contract. Those that are told apart by
// name can be run alone: go test -run 'TestTCP/lines/parked/onloop/echo'.
type behaviour struct {
	name string
	test func(s *suite, t *testing.T)
}

var behaviours = []behaviour{
	{"echo", (*suite).echo},
	{"empty", (*suite).empty},
	{"bytes", (*suite).bytes},
	{"text", (*suite).text},
	{"pipelined", (*suite).pipelined},
	{"push", (*suite).push},
	{"broadcast", (*suite).broadcast},

	{"full", (*suite).full},
	{"link", (*suite).link},
	{"slow client", (*suite).slowClient},
	{"slow handler", (*suite).slowHandler},

	{"server closes", (*suite).serverCloses},
	{"server closes when full", (*suite).serverClosesFull},
	{"client closes", (*suite).clientCloses},
	{"client cuts", (*suite).clientCuts},
	{"client cuts while it is sent to", (*suite).clientCutsBusy},
	{"both close", (*suite).bothClose},
	{"half close", (*suite).halfClose},
	{"half open", (*suite).halfOpen},
	{"after the end", (*suite).afterEnd},

	{"refused", (*suite).refused},
	{"panic", (*suite).panics},
	{"from handlers", (*suite).fromHandlers},
	{"too large", (*suite).tooLarge},
	{"many", (*suite).many},
	{"info", (*suite).info},
	{"engine closes", (*suite).engineCloses},
}

// Run tries everything that a link promises on one way in.
func Run(t *testing.T, w Way) {
	for _, st := range settings {
		if !st.goroutines && runtime.GOOS != "linux" {
			continue // nothing is parked there
		}
		if st.goroutines && w.Unparked && runtime.GOOS == "linux" {
			continue // it was tried with goroutines already
		}
		t.Run(st.name, func(t *testing.T) {
			s := &suite{Way: w, setting: st, engine: newEngine(t, st.goroutines)}
			s.together(t)
			t.Run("leaves nothing", s.leavesNothing)
		})
	}
}

// together runs the behaviours, several at once: more than t.Parallel would on
// few cores, because most of their time they wait.
func (s *suite) together(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	next := make(chan behaviour)
	defer close(next)
	for range 8 {
		wg.Go(func() {
			for b := range next {
				t.Run(b.name, func(t *testing.T) { b.test(s, t) })
			}
		})
	}
	for _, b := range behaviours {
		next <- b
	}
}

func newEngine(t *testing.T, goroutines bool) *longwire.Engine {
	t.Helper()
	e, err := longwire.NewEngine(&longwire.EngineOptions{Loops: 2, Goroutines: goroutines, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	return e
}
