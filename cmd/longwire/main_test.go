package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Descriptors and goroutines are not counted here: what runs is a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"longwire": main})
}

// TestCommandLine runs the scripts of testdata. $HTTP and $TCP are free
// addresses, $WIDE is the latter on every interface, $CALLS is where calls are
// handled, $NATS is a NATS server. Beside testscript's own commands there are
//
//	ready URL             waits until it answers 200
//	exits CODE COMMAND…   runs a command that must end with this exit code
//	hold ADDRESS          listens there until the script ends
func TestCommandLine(t *testing.T) {
	calls, nats := serveCalls(t), serveNATS(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CALLS", calls)
			env.Setenv("NATS", nats)
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state")) // nobody's real data
			env.Setenv("GORACE", "atexit_sleep_ms=0")                         // the scripts run many programs
			for _, name := range []string{"HTTP", "TCP"} {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer ln.Close()
				env.Setenv(name, ln.Addr().String())
				env.Setenv("WIDE", fmt.Sprint("0.0.0.0:", ln.Addr().(*net.TCPAddr).Port))
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready": func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(ready(args[0])) },
			"exits": exits,
			"hold": func(ts *testscript.TestScript, _ bool, args []string) {
				ln, err := net.Listen("tcp", args[0])
				ts.Check(err)
				ts.Defer(func() { ln.Close() })
			},
		},
	})
}

func ready(url string) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var err error
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var resp *http.Response
		if resp, err = client.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(resp.Status)
		}
	}
	return fmt.Errorf("%s is not ready: %w", url, err)
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
