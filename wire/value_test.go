package wire

import (
	"strings"
	"testing"
)

func TestValue(t *testing.T) {
	for _, tt := range []struct {
		name, members string
		want          Type
		data, content string
	}{
		{"json", `"data":{"a":[1.50,"b c"]}`, JSON, `{"a":[1.50,"b c"]}`, ""},
		{"json with white space", `"type":"json","data": { "a" : [ 1.50 , "b c\" " ] } `, JSON, `{"a":[1.50,"b c\" "]}`, ""},
		{"null", `"data":null`, JSON, `null`, ""},
		{"a string", `"data":"a\u00e9"`, JSON, `"a\u00e9"`, ""},
		{"text", `"type":"text","data":"a\u00e9\n\"é"`, Text, "aé\n\"é", ""},
		{"empty text", `"type":"text","data":""`, Text, "", ""},
		{"bytes", `"data64":"AP8="`, Binary, "\x00\xff", ""},
		{"bytes with escapes", `"data64":"\/\/\/\u002f"`, Binary, "\xff\xff\xff", ""},
		{"no bytes", `"data64":""`, Binary, "", ""},
		{"an image", `"type":"image/png","data64":"AP8="`, Binary, "\x00\xff", "image/png"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f Frame
			if err := f.Parse([]byte(`{"op":"publish","channel":"a",` + tt.members + `}`)); err != nil {
				t.Fatal(err)
			}
			typ, p, content, err := f.Value([]byte("before"))
			if err != nil || typ != tt.want || string(p) != "before"+tt.data || string(content) != tt.content {
				t.Errorf("%s %q of %q, %v; want %s %q of %q", typ, p, content, err, tt.want, tt.data, tt.content)
			}
		})
	}
}

func TestValueRefuses(t *testing.T) {
	for _, data := range []string{"A", "AP8", "AP8=A", "AP_-", "A P8="} {
		var f Frame
		if err := f.Parse([]byte(`{"op":"publish","channel":"a","data64":"` + data + `"}`)); err != nil {
			t.Fatal(err)
		}
		if _, p, _, err := f.Value(nil); CodeOf(err) != CodeBadFrame || p != nil {
			t.Errorf("%s is %q, %v", data, p, err)
		}
	}
	if _, _, _, err := (&Frame{Op: OpConnect}).Value(nil); CodeOf(err) != CodeBadFrame {
		t.Errorf("without data: %v", err)
	}
}

func TestCheckJSON(t *testing.T) {
	for _, tt := range []struct {
		name, json string
		want       Code
	}{
		{"an object", " {\"a\": 1}\n", ""},
		{"a number", "-0.5e-3", ""},
		{"as deep as it goes", strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1), ""},
		{"deeper", strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), CodeBadRequest},
		{"nothing", "", CodeBadRequest},
		{"two values", "1 2", CodeBadRequest},
		{"a word", "NaN", CodeBadRequest},
		{"not UTF-8", "\"\xc3\"", CodeBadUTF8},
		{"not UTF-8, nor JSON", "\xc3", CodeBadUTF8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := CodeOf(CheckJSON([]byte(tt.json))); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestCheckContentType(t *testing.T) {
	for _, tt := range []struct {
		s    string
		want bool
	}{
		{"image/png", true},
		{"text/html; charset=utf-8", true},
		{"a/" + strings.Repeat("b", MaxContentType-2), true},
		{"a/" + strings.Repeat("b", MaxContentType-1), false},
		{"", false},
		{"png", false},
		{"image/\n", false},
		{"image/é", false},
	} {
		if got := CheckContentType(tt.s) == nil; got != tt.want {
			t.Errorf("%q: %t, want %t", tt.s, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	for typ, want := range map[Type]string{Binary: "binary", Text: "text", JSON: "json", 3: "binary"} {
		if typ.String() != want {
			t.Errorf("type %d is %s, want %s", typ, typ, want)
		}
	}
	for op, name := range opNames {
		var got Op
		if err := got.UnmarshalText([]byte(name)); err != nil || got != Op(op) || got.String() != name {
			t.Errorf("%s became %s, %v", name, got, err)
		}
		if mine := clientOp([]byte(name)); mine != OpNone && mine != got || mine == OpNone && op > 0 && Op(op) < OpConnected {
			t.Errorf("%s of a client became %s", name, mine)
		}
	}
	if Op(200).String() != "" {
		t.Error("a number beyond the ops has a name")
	}
}
