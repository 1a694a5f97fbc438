package content

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/longwire/longwire/wire"
)

func TestKey(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []string
		want   string
		ok     bool
	}{
		{"none", nil, "", true},
		{"plain", []string{"order-42"}, "order-42", true},
		{"with spaces around", []string{" a "}, "a", true},
		{"quoted", []string{`"order 42"`}, "order 42", true},
		{"escapes", []string{`"a\"b\\c"`}, `a"b\c`, true},
		{"longest", []string{strings.Repeat("x", wire.MaxKey)}, strings.Repeat("x", wire.MaxKey), true},
		{"longest in quotes", []string{`"` + strings.Repeat("x", wire.MaxKey) + `"`}, strings.Repeat("x", wire.MaxKey), true},
		{"too long", []string{strings.Repeat("x", wire.MaxKey+1)}, "", false},
		{"empty", []string{""}, "", false},
		{"empty in quotes", []string{`""`}, "", false},
		{"two", []string{"a", "b"}, "", false},
		{"a space", []string{"a b"}, "", false},
		{"not ASCII", []string{"ä"}, "", false},
		{"not ASCII in quotes", []string{`"ä"`}, "", false},
		{"no end", []string{`"a`}, "", false},
		{"an end that is none", []string{`"a\"`}, "", false},
		{"an unknown escape", []string{`"a\n"`}, "", false},
		{"something behind", []string{`"a";p=1`}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Key(http.Header{"Idempotency-Key": tt.values})
			if got != tt.want && err == nil || (err == nil) != tt.ok {
				t.Errorf("%q %v, want %q, ok %t", got, err, tt.want, tt.ok)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	many := map[string]string{}
	for i := range wire.MaxHeaders + 1 {
		many[fmt.Sprint("Longwire-Header-X", i)] = "v"
	}
	for _, tt := range []struct {
		name string
		sent map[string]string
		want map[string]string
		ok   bool
	}{
		{"none", map[string]string{"Longwire-Secret": "x"}, nil, true},
		{"two", map[string]string{"Longwire-Header-Trace-ID": "7", "longwire-header-lang": "ä"}, map[string]string{"trace-id": "7", "lang": "ä"}, true},
		{"an empty value", map[string]string{"Longwire-Header-A": ""}, map[string]string{"a": ""}, true},
		{"no name", map[string]string{"Longwire-Header-": "x"}, nil, false},
		{"not UTF-8", map[string]string{"Longwire-Header-A": "\xff"}, nil, false},
		{"too many", many, nil, false},
		{"too large", map[string]string{"Longwire-Header-A": strings.Repeat("x", wire.MaxHeaderBytes)}, nil, false},
		{"just right", map[string]string{"Longwire-Header-A": strings.Repeat("x", wire.MaxHeaderBytes-1)}, map[string]string{"a": strings.Repeat("x", wire.MaxHeaderBytes-1)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for name, value := range tt.sent {
				h.Set(name, value)
			}
			got, err := Headers(h)
			if (err == nil) != tt.ok || tt.ok && !maps.Equal(got, tt.want) {
				t.Errorf("%v %v, want %v, ok %t", got, err, tt.want, tt.ok)
			}
		})
	}
	if got, err := Headers(http.Header{"Longwire-Header-A": {"1", "2"}}); err != nil || got["a"] != "1, 2" {
		t.Errorf("repeated: %v %v", got, err)
	}
}

func FuzzKey(f *testing.F) {
	f.Add("plain")
	f.Add(`"a\"b"`)
	f.Fuzz(func(t *testing.T, s string) {
		key, err := Key(http.Header{"Idempotency-Key": {s}})
		if err == nil && (key == "" || len(key) > wire.MaxKey) {
			t.Errorf("%q gave %q", s, key)
		}
	})
}
