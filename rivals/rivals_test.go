//go:build linux

package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test binary be the server process too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := run(nil, os.Args[1:]); err != nil { //nolint:staticcheck // serve has no context
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestEveryWorkload measures each workload at a tiny size with the servers that cost least to start.
func TestEveryWorkload(t *testing.T) {
	// A race in a server process ends it, which fails the run; and the detector does not rest a second at each exit.
	t.Setenv("GORACE", "halt_on_error=1 atexit_sleep_ms=0")
	cfg, err := parseConfig([]string{
		"-servers", "^(raw|gws|net|net/http|nats-server|mosquitto|longwire.*)$", "-runs", "1", "-duration", "60ms", "-warmup", "20ms", "-settle", "40ms",
		"-idle-links", "20", "-cpu-links", "20", "-ping", "400ms", "-echo-links", "10", "-broadcast-links", "10",
		"-accept-links", "20", "-patience", "0", "-rate", "100", "-windows", "1,4", "-ws-sizes", "64,70000", "-under-way", "16",
		"-session-links", "20", "-session-receivers", "10", "-fan", "2,10", "-chat-pairs", "10", "-chat-under-way", "4",
		"-chat-rate", "100", "-patterns", "6000", "-pattern-sessions", "10", "-pattern-under-way", "4",
		"-stored", "200", "-stored-channels", "20", "-resume-links", "10", "-resume-channels", "2",
		"-slow-links", "3", "-slow", "2s", "-slow-fill", "100",
	})
	if err != nil {
		t.Fatal(err)
	}
	var progress bytes.Buffer
	results, err := measureAll(t.Context(), cfg, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	seen := map[string]bool{}
	for _, r := range results {
		seen[r.Cell.Workload] = true
		for _, name := range r.Servers {
			if err := r.Errs[name]; err != nil {
				t.Errorf("%s: %s: %v", r.Cell, name, err)
			} else if x := r.value(name, r.Cell.Compare); math.IsNaN(x) || math.IsInf(x, 0) {
				t.Errorf("%s: %s: %s is %v", r.Cell, name, r.Cell.Compare, x)
			}
		}
	}
	for _, w := range workloads {
		if !seen[w.Name] {
			t.Errorf("%s was not measured", w.Name)
		}
	}
	t.Logf("\n%s", &progress)
	var table strings.Builder
	printTable(&table, cfg, results)
	for _, want := range []string{"| tcp-echo ", "| broadcast ", "ratio to raw", "ratio to the best of gws, nbio"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
}

// TestUnknownServer: the server process says what is wrong, and the driver hears it.
func TestUnknownServer(t *testing.T) {
	_, err := startChild(t.Context(), WSEcho, "nobody")
	if err == nil || !strings.Contains(err.Error(), `no server "nobody" for ws-echo`) {
		t.Errorf("got %v", err)
	}
}

func TestRatioIsTakenWithinARun(t *testing.T) {
	r := &Result{Samples: map[string][]Sample{
		"ours": {{MsgsPerSec: 100}, {MsgsPerSec: 10}, nil, {MsgsPerSec: 60}},
		"a":    {{MsgsPerSec: 50}, {MsgsPerSec: 5}, {MsgsPerSec: 1}, {MsgsPerSec: 10}},
		"b":    {{MsgsPerSec: 40}, {MsgsPerSec: 4}, {MsgsPerSec: 1}, {MsgsPerSec: 20}},
	}}
	if got := r.ratio("ours", MsgsPerSec, []string{"a", "b"}); got != 2 {
		t.Errorf("ratio %v, want the median of 2, 2 and 3", got)
	}
	if got := r.ratio("ours", MsgsPerSec, []string{"absent"}); !math.IsNaN(got) {
		t.Errorf("ratio to nothing is %v", got)
	}
	if got := r.best(0, CPUPerMsg, []string{"a"}); got != 0 {
		t.Errorf("best of a metric not measured is %v", got)
	}
}

func TestVerdict(t *testing.T) {
	result := func(m Metric, ours, raw float64) *Result {
		return &Result{Samples: map[string][]Sample{"longwire": {{m: ours}}, "raw": {{m: raw}}}}
	}
	raw := []string{"raw"}
	for _, c := range []struct {
		name  string
		bound Bound
		r     *Result
		want  string
	}{
		{"at least, within the tolerance", Bound{Ours: "longwire", Metric: MsgsPerSec, Against: raw, Want: 1}, result(MsgsPerSec, 96, 100), "reached"},
		{"at least, too little", Bound{Ours: "longwire", Metric: MsgsPerSec, Against: raw, Want: 1}, result(MsgsPerSec, 94, 100), "**MISSED**"},
		{"four times", Bound{Ours: "longwire", Metric: DelivPerCPU, Against: raw, Want: 4}, result(DelivPerCPU, 300, 100), "**MISSED**"},
		{"at most a ratio", Bound{Ours: "longwire", Metric: CPUPerDeliv, Against: raw, Want: 1.15, AtMost: true}, result(CPUPerDeliv, 8, 7), "reached"},
		{"at most, absolute", Bound{Ours: "longwire", Metric: BytesPerLink, Want: 640, AtMost: true}, result(BytesPerLink, 641, 1), "**MISSED**"},
		{"no allocations", Bound{Ours: "longwire", Metric: MallocsMsg, AtMost: true}, result(MallocsMsg, 0.001, 1), "reached"},
		{"allocations", Bound{Ours: "longwire", Metric: MallocsMsg, AtMost: true}, result(MallocsMsg, 1, 1), "**MISSED**"},
		{"absent", Bound{Ours: "longwire", Metric: MallocsMsg, AtMost: true}, result(MsgsPerSec, 1, 1), "not measured"},
	} {
		if got := c.bound.verdict(c.r); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestRawServerEchoesFrames(t *testing.T) {
	for _, n := range []int{0, 1, 7, 125, 126, 65535, 65536} {
		p := payload(n)
		in := appendClientFrame(appendClientFrame(nil, finBinary, p), finBinary, p)
		want := append(serverFrame(finBinary, p), serverFrame(finBinary, p)...)
		rest, echo, ok := unmaskInPlace(append(in, finBinary))
		if !ok || !bytes.Equal(rest, []byte{finBinary}) || !bytes.Equal(echo, want) {
			t.Errorf("%d bytes: ok %v, rest %x, echo of %d bytes, want %d", n, ok, rest, len(echo), len(want))
		}
	}
}

func TestFormat(t *testing.T) {
	for x, want := range map[float64]string{
		1234567: "1,234,567", 1000: "1,000", 999.4: "999", 12.34: "12.3", 1.234: "1.23", 0.0002: "0.0002", -4321: "-4,321",
	} {
		if got := format(x); got != want {
			t.Errorf("format(%v) = %s, want %s", x, got, want)
		}
	}
}

func TestControlLines(t *testing.T) {
	out, in := &bytes.Buffer{}, strings.NewReader(`{"op":"stats"}`+"\n"+`{"op":"free"}`+"\n"+`{"op":"quit"}`+"\n")
	if err := serve([]string{"-workload", TCPEcho, "-name", "net"}, in, out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d lines for a start and two questions:\n%s", n, out)
	}
	if err := serve([]string{"-workload", TCPEcho, "-name", "net"}, strings.NewReader("nonsense\n"), io.Discard); err == nil {
		t.Error("nonsense was obeyed")
	}
}
