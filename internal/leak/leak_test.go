package leak

import (
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// blockUntil is a name to look for in the report.
func blockUntil(c chan struct{}) { <-c }

func TestRun(t *testing.T) {
	stop := make(chan struct{})
	var file *os.File
	for _, tt := range []struct {
		name  string
		tests func() int
		want  int
		says  string // empty: nothing at all
	}{
		{"clean", func() int { return 0 }, 0, ""},
		{"failed tests are not looked at", func() int { go blockUntil(stop); return 3 }, 3, ""},
		{"goroutine left", func() int { go blockUntil(stop); return 0 }, 1, "leak.blockUntil"},
		{"goroutine that ends soon", func() int {
			c := make(chan struct{})
			go blockUntil(c)
			time.AfterFunc(20*time.Millisecond, func() { close(c) })
			return 0
		}, 0, ""},
		{"the signal loop stays", func() int {
			c := make(chan os.Signal, 1)
			signal.Notify(c, os.Interrupt)
			signal.Stop(c)
			return 0
		}, 0, ""},
		{"descriptor left", func() int {
			if runtime.GOOS != "linux" {
				t.Skip("descriptors are looked at on Linux only")
			}
			var err error
			if file, err = os.Open(os.DevNull); err != nil {
				t.Fatal(err)
			}
			return 0
		}, 1, os.DevNull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			if got := run(tt.tests, &out, 200*time.Millisecond); got != tt.want {
				t.Errorf("exit code %d, want %d; output:\n%s", got, tt.want, &out)
			}
			if s := out.String(); !strings.Contains(s, tt.says) || tt.says == "" && s != "" {
				t.Errorf("output %q, want it to contain %q", s, tt.says)
			}
		})
	}
	close(stop)
	if file != nil {
		file.Close()
	}
}
