package wire

import (
	"fmt"
	"strings"
	"testing"
)

func TestSubscriptions(t *testing.T) {
	for _, tt := range []struct{ name, list, want string }{
		{"none", `[]`, ""},
		{"one", `[{"channel":"a"}]`, "a"},
		{"several", ` [ { "since" : "all" , "channel" : "a.>" } , {"channel":"b","since":"","x":[{"channel":1}],"x":2} ] `, "a.>~all b~"},
		{"escapes", `[{"chann\u0065l":"\u0061","since":"last\u003a1"}]`, "a~last:1"},
		{"no object", `[{"channel":"a"},"b",{"channel":"c"}]`, "a bad_frame: an entry of subscribe is an object"},
		{"no channel", `[{"since":"all"}]`, "bad_frame: an entry of subscribe is an object"},
		{"a channel that is no string", `[{"channel":1}]`, "bad_frame: an entry of subscribe is an object"},
		{"since null", `[{"channel":"a","since":null}]`, "bad_frame: an entry of subscribe is an object"},
		{"channel twice", `[{"channel":"a","chann\u0065l":"b"}]`, "bad_frame: an entry of subscribe has channel twice"},
		{"since twice", `[{"channel":"a","since":"b","since":1}]`, "bad_frame: an entry of subscribe has since twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f Frame
			if err := f.Parse([]byte(`{"op":"connect","subscribe":` + tt.list + `}`)); err != nil {
				t.Fatal(err)
			}
			for range 2 { // walking it leaves it as it is
				var got []string
				for s, err := range f.Subscriptions() {
					switch {
					case err != nil:
						text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "longwire: "), " such as")
						text, _, _ = strings.Cut(text, ";")
						got = append(got, text)
					case s.Since != nil:
						got = append(got, fmt.Sprintf("%s~%s", s.Channel, s.Since))
					default:
						got = append(got, string(s.Channel))
					}
				}
				if g := strings.Join(got, " "); g != tt.want {
					t.Errorf("got  %s\nwant %s", g, tt.want)
				}
			}
		})
	}
}

func TestSubscriptionsOfOthers(t *testing.T) {
	var f Frame
	for range f.Subscriptions() {
		t.Error("an entry of nothing")
	}
	if err := f.Parse([]byte(`{"op":"connect","subscribe":[{"channel":"a"},{"channel":"b"}]}`)); err != nil {
		t.Fatal(err)
	}
	for s := range f.Subscriptions() {
		if string(s.Channel) != "a" {
			t.Error("it went on")
		}
		break
	}
}

func TestHeaderMap(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"h%d":"v"`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for _, tt := range []struct{ name, headers, want, says string }{
		{"none", `{}`, "map[]", ""},
		{"two", `{ "a" : "b" , "c\n" : "\u00e9" }`, "map[a:b c\n:é]", ""},
		{"names that differ in case", `{"a":"b","A":"c"}`, "map[A:c a:b]", ""},
		{"the largest", `{"a":"` + strings.Repeat("x", MaxHeaderBytes-1) + `"}`, fmt.Sprint(map[string]string{"a": strings.Repeat("x", MaxHeaderBytes-1)}), ""},
		{"too large", `{"a":"` + strings.Repeat("x", MaxHeaderBytes) + `"}`, "", "at most 16, with at most 4096 bytes"},
		{"too many", many(MaxHeaders + 1), "", "at most 16, with at most 4096 bytes"},
		{"a number", `{"a":1}`, "", `header "a" is no string`},
		{"an object", `{"a":{"b":"c"}}`, "", `header "a" is no string`},
		{"twice", `{"a":"1","\u0061":"2"}`, "", `header "a" is there twice`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f Frame
			if err := f.Parse([]byte(`{"op":"publish","channel":"a","data":1,"headers":` + tt.headers + `}`)); err != nil {
				t.Fatal(err)
			}
			got, err := f.HeaderMap()
			if tt.says != "" {
				if CodeOf(err) != CodeBadFrame || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v, want %s", err, tt.says)
				}
				return
			}
			if err != nil || fmt.Sprint(got) != tt.want {
				t.Errorf("%v, %v; want %s", got, err, tt.want)
			}
		})
	}
	if got, err := new(Frame).HeaderMap(); got != nil || err != nil {
		t.Errorf("without headers: %v, %v", got, err)
	}
}
