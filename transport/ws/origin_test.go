package ws

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// internal/origin has what an entry means; here is what a list does.
func TestOrigins(t *testing.T) {
	for _, tt := range []struct {
		name    string
		allowed []string
		origin  string
		want    bool
		logged  int
	}{
		{"own", nil, "http://a.example", true, 0},
		{"foreign", nil, "http://b.example", false, 0},
		{"listed", []string{"http://b.example"}, "http://b.example", true, 0},
		{"own, not listed", []string{"http://b.example"}, "http://a.example", false, 0},
		{"a wrong entry beside a good one", []string{"b.example", "http://b.example"}, "http://b.example", true, 1},
		{"wrong entries are not none", []string{"b.example", "*://"}, "http://a.example", false, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			h := &Handler{Origins: tt.allowed, Log: slog.New(slog.NewTextHandler(&log, nil))}
			h.prepare()
			r := &http.Request{Host: "a.example", Header: http.Header{"Origin": {tt.origin}}}
			if got := h.origins.Allows(r); got != tt.want {
				t.Errorf("%t, want %t", got, tt.want)
			}
			if n := strings.Count(log.String(), "allows nothing"); n != tt.logged {
				t.Errorf("log %q", log.String())
			}
		})
	}
}
