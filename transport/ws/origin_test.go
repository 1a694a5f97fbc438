package ws

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestOrigin(t *testing.T) {
	list := func(o ...string) []string { return o }
	for _, tt := range []struct {
		name    string
		allowed []string
		host    string
		tls     bool
		origin  []string // nil: no Origin header
		want    bool
	}{
		{"no browser", nil, "a.example", false, nil, true},
		{"own", nil, "a.example", false, list("http://a.example"), true},
		{"own behind a proxy that takes TLS off", nil, "a.example", false, list("https://a.example"), true},
		{"own over TLS", nil, "a.example", true, list("https://a.example"), true},
		{"own host without TLS, to TLS", nil, "a.example", true, list("http://a.example"), false},
		{"own in capitals", nil, "A.Example", false, list("http://a.EXAMPLE"), true},
		{"own with a port", nil, "a.example:8080", false, list("http://a.example:8080"), true},
		{"another port", nil, "a.example:8080", false, list("http://a.example"), false},
		{"default port written out in Host", nil, "a.example:443", true, list("https://a.example"), true},
		{"default port written out in Origin", nil, "a.example", false, list("http://a.example:80"), true},
		{"the other scheme's default port", nil, "a.example:80", false, list("https://a.example"), false},
		{"own by address", nil, "127.0.0.1:8080", false, list("http://127.0.0.1:8080"), true},
		{"own by IPv6 address", nil, "[::1]:8080", false, list("http://[::1]:8080"), true},
		{"own by IPv6 address without port", nil, "[::1]", false, list("http://[::1]"), true},
		{"localhost is not its address", nil, "127.0.0.1:8080", false, list("http://localhost:8080"), false},
		{"foreign", nil, "a.example", false, list("http://b.example"), false},
		{"subdomain", nil, "a.example", false, list("http://x.a.example"), false},
		{"own as a prefix", nil, "a.example", false, list("http://a.example.evil"), false},
		{"own as user information", nil, "a.example", false, list("http://a.example@evil"), false},
		{"another scheme", nil, "a.example", false, list("ftp://a.example"), false},
		{"an extension's scheme", nil, "a.example", false, list("chrome-extension://a.example"), false},
		{"null", nil, "a.example", false, list("null"), false},
		{"empty", nil, "a.example", false, list(""), false},
		{"with a path", nil, "a.example", false, list("http://a.example/"), false},
		{"no origin at all", nil, "a.example", false, list("a.example"), false},
		{"two", nil, "a.example", false, list("http://a.example", "http://a.example"), false},
		{"empty Host", nil, "", false, list("http://"), false},

		{"listed", list("https://b.example"), "a.example", false, list("https://b.example"), true},
		{"listed in capitals", list("https://B.Example"), "a.example", false, list("https://b.example"), true},
		{"listed, another scheme", list("https://b.example"), "a.example", false, list("http://b.example"), false},
		{"listed, another port", list("https://b.example"), "a.example", false, list("https://b.example:8443"), false},
		{"listed with the default port", list("https://b.example:443"), "a.example", false, list("https://b.example"), true},
		{"own, not listed", list("https://b.example"), "a.example", false, list("http://a.example"), false},
		{"own, listed as self", list("https://b.example", "self"), "a.example", false, list("http://a.example"), true},
		{"subdomain of a pattern", list("https://*.b.example"), "a", false, list("https://x.b.example"), true},
		{"deep subdomain of a pattern", list("https://*.b.example"), "a", false, list("https://y.x.b.example"), true},
		{"the pattern's own domain", list("https://*.b.example"), "a", false, list("https://b.example"), false},
		{"no subdomain, only the same end", list("https://*.b.example"), "a", false, list("https://evilb.example"), false},
		{"a name that is only a dot longer", list("https://*.b.example"), "a", false, list("https://.b.example"), false},
		{"any port", list("http://localhost:*"), "a", false, list("http://localhost:5173"), true},
		{"any port, default", list("http://localhost:*"), "a", false, list("http://localhost"), true},
		{"any port, another host", list("http://localhost:*"), "a", false, list("http://localhost.evil:80"), false},
		{"any port of a subdomain", list("http://*.b:*"), "a", false, list("http://x.b:81"), true},
		{"an extension", list("chrome-extension://abc"), "a", false, list("chrome-extension://abc"), true},
		{"null, listed", list("null"), "a", false, list("null"), true},
		{"any", list("*"), "a", false, list("https://anywhere.example"), true},
		{"any, null", list("*"), "a", false, list("null"), true},
		{"any, but two", list("*"), "a", false, list("http://a", "http://b"), false},
		{"a wrong entry allows nothing", list("b.example"), "a", false, list("https://b.example"), false},
		{"a wrong entry is not empty", list("b.example"), "a", false, list("http://a"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &Handler{Origins: tt.allowed, Log: quiet}
			h.prepare()
			r := &http.Request{Host: tt.host, Header: http.Header{}}
			if tt.origin != nil {
				r.Header["Origin"] = tt.origin
			}
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := h.allows(r); got != tt.want {
				t.Errorf("%t, want %t", got, tt.want)
			}
		})
	}
}

func TestWrongOriginsAreLogged(t *testing.T) {
	for _, entry := range []string{"", "example.com", "https://", "https://a/path", "https://*", "https://a.*.b", "https://*a.b", "*://a", "https://a,https://b", "https://*."} {
		var log bytes.Buffer
		h := &Handler{Origins: []string{entry}, Log: slog.New(slog.NewTextHandler(&log, nil))}
		h.prepare()
		if len(h.origins) != 0 || !strings.Contains(log.String(), "allows nothing") {
			t.Errorf("%q: %d origins, log %q", entry, len(h.origins), log.String())
		}
	}
}
