package main

import (
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// Settings are the same in a file, where YAML makes numbers of them, as in flags.
func TestSettings(t *testing.T) {
	var c serveCmd
	p := kong.Must(&c)
	trace, err := kong.Trace(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	trace.AddResolver(fileResolver{"history-bytes": 1 << 20, "history-age": 0, "rate": 5, "history": []any{
		map[string]any{"name": "chat", "channels": []any{"chat.>"}, "age": 0, "bytes": 1000},
		map[string]any{"name": "talk", "channels": []any{"talk.*"}, "age": "90s", "count": 0},
	}})
	if err := trace.Resolve(); err != nil {
		t.Fatal(err)
	}
	if _, err := trace.Apply(); err != nil {
		t.Fatal(err)
	}
	if c.HistoryBytes != 1<<20 || c.HistoryAge != 0 || c.Rate != 5 || len(c.History) != 2 {
		t.Fatalf("%+v", c)
	}
	if k := c.History[0]; k.Age != -1 || k.Bytes != 1000 || k.Count != 0 {
		t.Errorf("%+v", k)
	}
	if k := c.History[1]; k.Age != 90*time.Second || k.Count != -1 {
		t.Errorf("%+v", k)
	}
	if _, err := parseClasses(`[{name: a, channels: [a], age: 7d}]`); err == nil || !strings.Contains(err.Error(), "write a duration such as 90s") {
		t.Errorf("7d: %v", err)
	}
}
