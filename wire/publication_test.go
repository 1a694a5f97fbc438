package wire

import (
	"fmt"
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	for _, tt := range []struct {
		name, key string
		want      Code
	}{
		{"none", "", ""},
		{"the longest", strings.Repeat("k", MaxKey), ""},
		{"too long", strings.Repeat("k", MaxKey+1), CodeBadFrame},
		{"not UTF-8", "\xff", CodeBadUTF8},
	} {
		if err := CheckKey(tt.key); CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestCheckHeaders(t *testing.T) {
	many := func(n int) map[string]string {
		h := map[string]string{}
		for i := range n {
			h[fmt.Sprint(i)] = "v"
		}
		return h
	}
	for _, tt := range []struct {
		name    string
		headers map[string]string
		want    Code
	}{
		{"none", nil, ""},
		{"as many as may be", many(MaxHeaders), ""},
		{"too many", many(MaxHeaders + 1), CodeBadFrame},
		{"the largest", map[string]string{"a": strings.Repeat("x", MaxHeaderBytes-1)}, ""},
		{"too large", map[string]string{"a": strings.Repeat("x", MaxHeaderBytes)}, CodeBadFrame},
		{"too large together", map[string]string{"a": strings.Repeat("x", MaxHeaderBytes/2), "b": strings.Repeat("x", MaxHeaderBytes/2)}, CodeBadFrame},
		{"a name that is not UTF-8", map[string]string{"\xff": "x"}, CodeBadUTF8},
		{"a value that is not UTF-8", map[string]string{"x": "\xff"}, CodeBadUTF8},
	} {
		if err := CheckHeaders(tt.headers); CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
