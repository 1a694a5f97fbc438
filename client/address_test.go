package client

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct {
		addr    string
		via     Via
		want    string // way, TLS, where
		problem string
	}{
		{"", "", "ws http://127.0.0.1:8080/connect", ""},
		{"", TCP, "tcp 127.0.0.1:8888", ""},
		{"", Poll, "poll http://127.0.0.1:8080/connect", ""},
		{"example.com:1", "", "ws http://example.com:1/connect", ""},
		{"example.com", SSE, "sse http://example.com/connect", ""},
		{"example.com:1", TCP, "tcp example.com:1", ""},
		{"[::1]:1", TCP, "tcp [::1]:1", ""},
		{"tcp://example.com:1", "", "tcp example.com:1", ""},
		{"tls://example.com:1", TCP, "tcp tls example.com:1", ""},
		{"https://example.com/base/", NDJSON, "ndjson tls https://example.com/base/connect", ""},
		{"wss://example.com", "", "ws tls https://example.com/connect", ""},
		{"ws://example.com:80", Poll, "poll http://example.com:80/connect", ""},
		{"tcp://example.com", "", "", "has no port"},
		{"example.com", TCP, "", "has no port"},
		{"tcp://example.com:1", SSE, "", "tcp:// is for the way tcp"},
		{"http://example.com:1", TCP, "", "the way tcp needs an address such as tcp://127.0.0.1:8888"},
		{"ftp://example.com", "", "", `scheme "ftp" is not known`},
		{"http://", "", "", "is no address"},
		{"http://a b", "", "", "is no address"},
		{"", "carrier-pigeon", "", `no way in called "carrier-pigeon"`},
	} {
		a, err := parseAddress(tt.addr, tt.via)
		if tt.problem != "" {
			if _, ok := errors.AsType[*AddressError](err); !ok || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%q by %q: %v, want %q", tt.addr, tt.via, err, tt.problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q by %q: %v", tt.addr, tt.via, err)
			continue
		}
		got := string(a.via)
		if a.tls {
			got += " tls"
		}
		if a.via == TCP {
			got += " " + a.url.Host
		} else {
			got += " " + a.connectURL("")
		}
		if got != tt.want {
			t.Errorf("%q by %q: %s, want %s", tt.addr, tt.via, got, tt.want)
		}
	}
}
