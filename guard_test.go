package longwire

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/longwire/longwire/wire"
)

const (
	ourPage   = "http://example.com" // of the host that httptest asks
	otherPage = "https://other.example"
	evilPage  = "https://evil.example"
)

func TestGuard(t *testing.T) {
	for _, tt := range []struct {
		name, method, origin string
		header               []string
		status               int
		visible              bool // to the page
	}{
		{"no page", "POST", "", nil, 200, false},
		{"no page reads", "GET", "", nil, 200, false},
		{"our page", "POST", ourPage, nil, 200, true},
		{"a listed page", "POST", otherPage, nil, 200, true},
		{"a listed page deletes", "DELETE", otherPage, nil, 200, true},
		{"a listed page and a WebSocket", "GET", otherPage, []string{"Upgrade", "websocket"}, 200, true},
		{"a foreign page reads", "GET", evilPage, nil, 200, false},
		{"a foreign page looks", "HEAD", evilPage, nil, 200, false},
		{"a foreign page publishes", "POST", evilPage, nil, 403, false},
		{"a foreign page deletes", "DELETE", evilPage, nil, 403, false},
		{"a foreign page does something else", "BREW", evilPage, nil, 403, false},
		{"a foreign page and a WebSocket", "GET", evilPage, []string{"Upgrade", "websocket"}, 403, false},
		{"a page without an origin", "POST", "null", nil, 403, false},
		{"a listed page asks first", "OPTIONS", otherPage, []string{"Access-Control-Request-Method", "DELETE"}, 204, true},
		{"a foreign page asks first", "OPTIONS", evilPage, []string{"Access-Control-Request-Method", "GET"}, 403, false},
		{"options", "OPTIONS", evilPage, nil, 200, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			passed := false
			g := newGuard([]string{otherPage}, slog.Default(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true }))
			r := httptest.NewRequest(tt.method, "/channels/news", nil)
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			h := w.Header()
			if w.Code != tt.status || passed != (tt.status == 200) {
				t.Errorf("status %d, passed on: %t", w.Code, passed)
			}
			want := ""
			if tt.visible {
				want = tt.origin
			}
			if got := h.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("visible to %q, want %q", got, want)
			}
			if seen := h.Get("Access-Control-Expose-Headers"); strings.Contains(seen, "Longwire-Position") != tt.visible {
				t.Errorf("sees %q", seen)
			}
			if !slices.Contains(h.Values("Vary"), "Origin") || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("header %v", h)
			}
			if tt.status == 403 && !strings.Contains(w.Body.String(), string(wire.CodeBadOrigin)) {
				t.Errorf("answered %s", w.Body)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	g := newGuard(nil, slog.Default(), nil)
	r := httptest.NewRequest("OPTIONS", "/connect/x", nil)
	r.Header.Set("Origin", ourPage)
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "content-type, Longwire-Header-Trace, x-other,longwire-header-b")
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	h := w.Header()
	for header, want := range map[string][]string{
		"Access-Control-Allow-Methods": {"GET", "POST", "DELETE"},
		"Access-Control-Allow-Headers": {"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID",
			"Longwire-Secret", "Longwire-Seq", "longwire-header-trace", "longwire-header-b"},
	} {
		got := strings.Split(h.Get(header), ", ")
		for _, name := range want {
			if !slices.Contains(got, name) {
				t.Errorf("%s lacks %s: %v", header, name, got)
			}
		}
	}
	if strings.Contains(h.Get("Access-Control-Allow-Headers"), "x-other") || h.Get("Access-Control-Max-Age") != "600" {
		t.Errorf("header %v", h)
	}
}

func TestGuardLogsWhatItCannotRead(t *testing.T) {
	var log bytes.Buffer
	newGuard([]string{"other.example"}, slog.New(slog.NewTextHandler(&log, nil)), nil)
	if !strings.Contains(log.String(), "AllowOrigin allows nothing") || !strings.Contains(log.String(), "other.example") {
		t.Errorf("log %q", log.String())
	}
}
