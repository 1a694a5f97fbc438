package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// oracle reads an object as encoding/json does: its members, the known names that occur twice, and how deep it
// nests. It reports false for what is no JSON object in UTF-8.
func oracle(p []byte) (members map[string]json.RawMessage, twice map[string]bool, depth int, ok bool) {
	if !utf8.Valid(p) || !json.Valid(p) || bytes.TrimLeft(p, " \t\r\n")[0] != '{' {
		return nil, nil, 0, false
	}
	members, twice = map[string]json.RawMessage{}, map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(p))
	d.Token()
	for d.More() {
		name, _ := d.Token()
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return nil, nil, 0, false
		}
		_, twice[name.(string)] = members[name.(string)]
		members[name.(string)] = v
	}
	quoted, level := false, 0
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '{' || c == '['):
			level++
			depth = max(depth, level)
		case !quoted && (c == '}' || c == ']'):
			level--
		}
	}
	return members, twice, depth, true
}

// What is taken is JSON and means what encoding/json says. What is not is refused for its syntax only if it
// is no JSON object, and with its id.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"op":"publish","id":1,"channel":"a","data":{"x": [1.50, "<\u2028>", -0e-1]},"key":"k","headers":{"a":"b"}}`,
		`{"op":"publish","channel":"a","type":"text","data":"a\nb\u0000\ud83d\ude00\ud83d"}`, `{"op":"send","method":"m\/\"","data64":"AAE\u003d"}`,
		`{"op":"connect","id":9007199254740991,"version":1,"token":"","subscribe":[{"channel":"a","since":"all"},{"channel":"\u0061"}]}`,
		` { "id" : 2 , "x" : [ ] , "\u006fp" : "p\u0069ng" , "" : { } } `, `{"op":"ping","id":1,"op":2}`, `[[[`, "{\"op\":\"\xff\"}", `{"":00}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var f Frame
		err := f.Parse(bytes.Clone(p))
		members, twice, depth, ok := oracle(p)
		if err == nil {
			if !ok {
				t.Fatal("taken")
			}
			checkMembers(t, &f, members)
			checkLists(t, &f)
			var text Frame
			if err := text.ParseText(bytes.Clone(p)); err != nil || show(&text) != show(&f) {
				t.Fatalf("as text %s, %v", show(&text), err)
			}
			return
		}
		line := AppendError(nil, f.ID, asError(t, err))
		checkLine(t, line)
		if !ok {
			return
		}
		if s := err.Error(); strings.Contains(s, "byte ") || depth <= MaxDepth && strings.Contains(s, " deep") {
			t.Fatalf("refused: %v", err)
		}
		id, legible := integer(members["id"], MaxID)
		if !legible || twice["id"] {
			id = 0
		}
		if f.ID != id {
			t.Fatalf("id %d, want %d", f.ID, id)
		}
	})
}

func asError(t *testing.T, err error) *Error {
	e, ok := err.(*Error)
	if !ok {
		t.Fatalf("%v is no Error", err)
	}
	return e
}

func checkLine(t *testing.T, line []byte) {
	t.Helper()
	if !json.Valid(line) || !utf8.Valid(line) || bytes.ContainsAny(line, "\r\n") {
		t.Fatalf("not one line of JSON: %q", line)
	}
}

func checkMembers(t *testing.T, f *Frame, members map[string]json.RawMessage) {
	for _, rule := range rules {
		raw, want := members[rule.name]
		_, got := f.member([]byte(rule.name))
		if got == nil || rule.name == "" {
			continue
		}
		if (*got != nil) != want {
			t.Fatalf("%s: there %t, want %t", rule.name, *got != nil, want)
		}
		if rule.kind == aString && want {
			var s string
			if err := json.Unmarshal(raw, &s); err != nil || s != string(*got) {
				t.Fatalf("%s is %q, want %s", rule.name, *got, raw)
			}
		} else if want && !bytes.Equal(*got, raw) {
			t.Fatalf("%s is %q, want %s", rule.name, *got, raw)
		}
	}
	for name, n := range map[string]uint64{"id": f.ID, "version": uint64(f.Version), "limit": uint64(f.Limit)} {
		var want uint64
		if raw, ok := members[name]; ok && json.Unmarshal(raw, &want) != nil || n != want {
			t.Fatalf("%s is %d, want %d", name, n, want)
		}
	}
}

func checkLists(t *testing.T, f *Frame) {
	var want []struct{ Channel, Since *string }
	valid := f.Subscribe == nil || json.Unmarshal(f.Subscribe, &want) == nil
	n := 0
	for s, err := range f.Subscriptions() {
		if err != nil {
			checkLine(t, AppendError(nil, 1, asError(t, err)))
			break
		}
		// Names that differ in case only are one to encoding/json, so what it says counts for simple entries.
		if valid && len(want) > n && !bytes.ContainsAny(f.Subscribe, "CHANELSI\u017f\u212a\\") {
			if w := want[n]; w.Channel == nil || *w.Channel != string(s.Channel) || s.Since != nil && *w.Since != string(s.Since) {
				t.Fatalf("entry %d is %q since %q", n, s.Channel, s.Since)
			}
		}
		n++
	}
	got, err := f.HeaderMap()
	if err != nil {
		checkLine(t, AppendError(nil, 1, asError(t, err)))
		return
	}
	var headers map[string]string
	if f.Headers != nil && json.Unmarshal(f.Headers, &headers) != nil || len(headers) != len(got) {
		t.Fatalf("headers %q, want %q", got, headers)
	}
	for name := range got {
		if headers[name] != got[name] {
			t.Fatalf("headers %q, want %q", got, headers)
		}
	}
}

// A value is copied as json.Compact copies it, whatever way it comes.
func FuzzCompact(f *testing.F) {
	f.Add([]byte(" { \"a \\\" \\\\\" : [ 1e400 , \"\\u0000 \" , { } ] , \"\": \t\r\n-0.0 } "))
	f.Add([]byte(`{"a":"b c"}`))
	f.Add([]byte(`"\`))
	f.Fuzz(func(t *testing.T, p []byte) {
		var want bytes.Buffer
		valid := utf8.Valid(p) && json.Compact(&want, p) == nil
		err := CheckJSON(p)
		if (err == nil) != valid {
			if _, _, depth, _ := oracle(append([]byte(`{"":`), append(p, '}')...)); valid && depth > MaxDepth {
				return
			}
			t.Fatalf("%v, want valid %t", err, valid)
		}
		if err != nil {
			checkLine(t, AppendError(nil, 1, asError(t, err)))
			return
		}
		if got := AppendCompact([]byte("x"), p); string(got[1:]) != want.String() {
			t.Fatalf("%q, want %q", got[1:], want.String())
		}
		frame := append(append([]byte(`{"op":"publish","channel":"a","data":`), p...), '}')
		var fr Frame
		if err := fr.Parse(frame); err != nil {
			t.Fatal(err)
		}
		typ, got, _, err := fr.Value([]byte("x"))
		if err != nil || typ != JSON || string(got[1:]) != want.String() {
			t.Fatalf("%s %q, %v; want %q", typ, got, err, want.String())
		}
	})
}
