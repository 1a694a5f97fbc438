package origin

import (
	"crypto/tls"
	"net/http"
	"slices"
	"testing"
)

func TestAllows(t *testing.T) {
	list := func(o ...string) []string { return o }
	self := list("self")
	for _, tt := range []struct {
		name    string
		allowed []string
		host    string
		tls     bool
		origin  []string // nil: no Origin header
		want    bool
	}{
		{"no browser", self, "a.example", false, nil, true},
		{"own", self, "a.example", false, list("http://a.example"), true},
		{"own behind a proxy that takes TLS off", self, "a.example", false, list("https://a.example"), true},
		{"own over TLS", self, "a.example", true, list("https://a.example"), true},
		{"own host without TLS, to TLS", self, "a.example", true, list("http://a.example"), false},
		{"own in capitals", self, "A.Example", false, list("http://a.EXAMPLE"), true},
		{"own with a port", self, "a.example:8080", false, list("http://a.example:8080"), true},
		{"another port", self, "a.example:8080", false, list("http://a.example"), false},
		{"default port written out in Host", self, "a.example:443", true, list("https://a.example"), true},
		{"default port written out in Origin", self, "a.example", false, list("http://a.example:80"), true},
		{"the other scheme's default port", self, "a.example:80", false, list("https://a.example"), false},
		{"own by address", self, "127.0.0.1:8080", false, list("http://127.0.0.1:8080"), true},
		{"own by IPv6 address", self, "[::1]:8080", false, list("http://[::1]:8080"), true},
		{"own by IPv6 address without port", self, "[::1]", false, list("http://[::1]"), true},
		{"localhost is not its address", self, "127.0.0.1:8080", false, list("http://localhost:8080"), false},
		{"foreign", self, "a.example", false, list("http://b.example"), false},
		{"subdomain", self, "a.example", false, list("http://x.a.example"), false},
		{"own as a prefix", self, "a.example", false, list("http://a.example.evil"), false},
		{"own as user information", self, "a.example", false, list("http://a.example@evil"), false},
		{"another scheme", self, "a.example", false, list("ftp://a.example"), false},
		{"an extension's scheme", self, "a.example", false, list("chrome-extension://a.example"), false},
		{"null", self, "a.example", false, list("null"), false},
		{"empty", self, "a.example", false, list(""), false},
		{"with a path", self, "a.example", false, list("http://a.example/"), false},
		{"no origin at all", self, "a.example", false, list("a.example"), false},
		{"two", self, "a.example", false, list("http://a.example", "http://a.example"), false},
		{"empty Host", self, "", false, list("http://"), false},

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
		{"padded", list(" https://b.example "), "a", false, list("https://b.example"), true},
		{"self and null", list("self", "null"), "a", false, list("http://a"), true},
		{"nothing", nil, "a", false, list("http://a"), false},
		{"nothing, and no browser", nil, "a", false, nil, true},
		{"loopback by name", list("loopback"), "a", false, list("http://localhost:3000"), true},
		{"loopback by name in capitals", list("loopback"), "a", false, list("https://LocalHost"), true},
		{"loopback by address", list("loopback"), "a", false, list("http://127.1.2.3:3000"), true},
		{"loopback by IPv6 address", list("loopback"), "a", false, list("http://[::1]:3000"), true},
		{"not loopback", list("loopback"), "a", false, list("http://localhost.evil"), false},
		{"not loopback either", list("loopback"), "a", false, list("http://a"), false},
		{"no origin to loopback", list("loopback"), "a", false, list("null"), false},
		{"a wrong entry is not empty", list("b.example"), "a", false, list("http://a"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, _ := ParseList(tt.allowed)
			r := &http.Request{Host: tt.host, Header: http.Header{}}
			if tt.origin != nil {
				r.Header["Origin"] = tt.origin
			}
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := l.Allows(r); got != tt.want {
				t.Errorf("%t, want %t", got, tt.want)
			}
		})
	}
}

var wrong = []string{
	"", "example.com", "https://", "https://a/path", "https://a?", "https://*", "https://a.*.b", "https://*a.b", "*://a",
	"https://a,https://b", "https://*.", "https://u@a", "SELF", "https://a:b",
}

func TestWrongEntries(t *testing.T) {
	for _, entry := range wrong {
		if p, err := Parse(entry); err == nil || p != (Pattern{}) {
			t.Errorf("%q is %+v", entry, p)
		}
	}
	l, errs := ParseList(slices.Insert(slices.Clone(wrong), 3, "https://good.example"))
	if len(l) != 1 || len(errs) != len(wrong) {
		t.Errorf("%d patterns, %d errors", len(l), len(errs))
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:1": true, "127.0.0.1:9": true, "127.0.0.2": true, "[::1]:8080": true, "[::1]": true, "::1": true,
		"": false, ":80": false, "a": false, "127.0.0.1.evil": false, "localhost.": false, "10.0.0.1:80": false, "[::2]": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

// A wrong entry allows nothing, none allows two origins, and only words allow what is no origin.
func FuzzOrigin(f *testing.F) {
	f.Add("https://*.example.com", "https://a.example.com", "example.com")
	f.Add("self", "http://[::1]:80", "[::1]")
	f.Add("http://localhost:*", "null", "")
	f.Fuzz(func(t *testing.T, entry, from, host string) {
		p, err := Parse(entry)
		r := &http.Request{Host: host, Header: http.Header{"Origin": {from}}}
		_, ok := parse(from)
		if (List{p}).Allows(r) && (err != nil || !ok && p.word != "*" && p.word != "null") {
			t.Errorf("%q allows %q", entry, from)
		}
		if r.Header["Origin"] = []string{from, from}; (List{p}).Allows(r) {
			t.Errorf("%q allows %q twice", entry, from)
		}
	})
}
