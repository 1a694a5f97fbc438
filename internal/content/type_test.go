package content

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longwire/longwire/wire"
)

func TestTypeOf(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        Type
		code        wire.Code
	}{
		{"nothing", "", Type{Guess: true}, ""},
		{"curl -d", "application/x-www-form-urlencoded", Type{Guess: true}, ""},
		{"json", "application/json", Type{Kind: wire.JSON}, ""},
		{"json in UTF-8", "Application/JSON; charset=UTF-8", Type{Kind: wire.JSON}, ""},
		{"text", "text/plain", Type{Kind: wire.Text}, ""},
		{"any text", "text/markdown; charset=us-ascii", Type{Kind: wire.Text}, ""},
		{"bytes", "application/octet-stream", Type{}, ""},
		{"lines", "application/x-ndjson", Type{Lines: true}, ""},
		{"an image", "image/png", Type{Media: "image/png"}, ""},
		{"with parameters", `Image/SVG+xml;Charset="latin1"`, Type{Media: "image/svg+xml; charset=latin1"}, ""},
		{"other text", "text/plain; charset=latin1", Type{}, wire.CodeUnsupportedData},
		{"other json", "application/json; charset=utf-16", Type{}, wire.CodeUnsupportedData},
		{"a form", "multipart/form-data; boundary=x", Type{}, wire.CodeUnsupportedData},
		{"no type", "/;", Type{}, wire.CodeBadRequest},
		{"no slash", "json", Type{}, wire.CodeBadRequest},
		{"a list", "text/plain, text/html", Type{}, wire.CodeBadRequest},
		{"long", "image/" + strings.Repeat("x", wire.MaxContentType), Type{}, wire.CodeBadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.value != "" {
				h.Set("Content-Type", tt.value)
			}
			if got, err := TypeOf(h); got != tt.want || wire.CodeOf(err) != tt.code {
				t.Errorf("%+v %v, want %+v and code %q", got, err, tt.want, tt.code)
			}
		})
	}
}

func TestTypeOfEncoded(t *testing.T) {
	for encoding, want := range map[string]wire.Code{"gzip": wire.CodeUnsupportedData, "Identity": "", "": ""} {
		h := http.Header{"Content-Encoding": {encoding}}
		if _, err := TypeOf(h); wire.CodeOf(err) != want {
			t.Errorf("%q: %v, want code %q", encoding, err, want)
		}
	}
}

func TestData(t *testing.T) {
	guess, js, text, octets := Type{Guess: true}, Type{Kind: wire.JSON}, Type{Kind: wire.Text}, Type{}
	for _, tt := range []struct {
		name string
		t    Type
		body string
		kind wire.Type
		want string
		code wire.Code
	}{
		{"guess: an object", guess, ` {"a" : 1} `, wire.JSON, `{"a":1}`, ""},
		{"guess: an array", guess, "[1,\n2]", wire.JSON, "[1,2]", ""},
		{"guess: a number", guess, "1", wire.Text, "1", ""},
		{"guess: nearly an object", guess, "{x", wire.Text, "{x", ""},
		{"guess: nothing", guess, "", wire.Text, "", ""},
		{"guess: bytes", guess, "{\"a\":\"\xff\"}", wire.Binary, "{\"a\":\"\xff\"}", ""},
		{"guess: too deep", guess, strings.Repeat("[", wire.MaxDepth) + strings.Repeat("]", wire.MaxDepth), wire.Text, strings.Repeat("[", wire.MaxDepth) + strings.Repeat("]", wire.MaxDepth), ""},
		{"json", js, ` "a\u0020b" `, wire.JSON, `"a\u0020b"`, ""},
		{"json: none", js, "", wire.JSON, "", wire.CodeBadRequest},
		{"json: two", js, "1 2", wire.JSON, "", wire.CodeBadRequest},
		{"json: broken", js, "{x}", wire.JSON, "", wire.CodeBadRequest},
		{"json: not UTF-8", js, "\"\xff\"", wire.JSON, "", wire.CodeBadUTF8},
		{"json: brackets", js, strings.Repeat("[", 1<<20), wire.JSON, "", wire.CodeBadRequest},
		{"text", text, `{"a": 1}`, wire.Text, `{"a": 1}`, ""},
		{"text: not UTF-8", text, "\xff", wire.Text, "", wire.CodeBadUTF8},
		{"bytes", octets, `{"a": 1}`, wire.Binary, `{"a": 1}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kind, data, err := tt.t.Data([]byte(tt.body))
			if kind != tt.kind || wire.CodeOf(err) != tt.code || err == nil && string(data) != tt.want {
				t.Errorf("%v %.80q %v, want %v %.80q and code %q", kind, data, err, tt.kind, tt.want, tt.code)
			}
		})
	}
}
