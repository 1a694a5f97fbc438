package content

import (
	"encoding/json"
	"testing"

	"github.com/longwire/longwire/wire"
)

func TestBatchParse(t *testing.T) {
	b := NewBatch("news")
	for _, tt := range []struct {
		name, line string
		kind       wire.Type
		data, key  string
	}{
		{"json", `{"data":{"a":1}}`, wire.JSON, `{"a":1}`, ""},
		{"white space", " { \"data\" : [1, 2] } \r", wire.JSON, `[1,2]`, ""},
		{"text", `{"type":"text","data":"a\"b","key":"k"}`, wire.Text, `a"b`, "k"},
		{"bytes", `{"data64":"/g=="}`, wire.Binary, "\xfe", ""},
		{"members that are not known", `{"data":1,"colour":"red","id":7}`, wire.JSON, "1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := b.Parse([]byte(tt.line))
			if err != nil {
				t.Fatal(err)
			}
			kind, data, _, err := f.Value(nil)
			if f.Op != wire.OpPublish || string(f.Channel) != "news" || kind != tt.kind || string(data) != tt.data || string(f.Key) != tt.key || err != nil {
				t.Errorf("%v to %s: %v %q, key %q, %v", f.Op, f.Channel, kind, data, f.Key, err)
			}
		})
	}
	for _, line := range []string{
		``, ` `, `1`, `"x"`, `[1]`, `[1}`, `{}`, `{ }`, `}`, `x}`, `{"data":1`, `{"data":1}}`, `{"data":1},{"data":2}`, `{"data":1,}`,
		`{"key":"a"}`, `{"data":1,"data":2}`, `{"data":1,"op":"publish"}`, `{"data":1,"channel":"other"}`, `{"data":"abc}`,
		`{"a":{"data":1}`, `{"data":1,"x":"}`, `{"data":1,"x":"\}`, `{"data":1,"data64":"aa=="}`, `{"type":"text","data":1}`, `{"data":"` + "\xff" + `"}`,
	} {
		if f, err := b.Parse([]byte(line)); err == nil || wire.CodeOf(err).Status() != 400 {
			t.Errorf("%q became %+v, with %v", line, f, err)
		}
	}
}

// What is taken is one object, and goes to the batch's channel.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{`{"data":1}`, `{"data64":"aa=="}`, ` {"type":"text","data":"\u0061","headers":{"a":"b"}}`, `{"data":"}`, `{"a":{"data":1}`, `{"\u006fp":"x","data":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		frame, err := NewBatch("news").Parse(line)
		switch {
		case err != nil && wire.CodeOf(err) == wire.CodeInternal:
			t.Errorf("%q: %v", line, err)
		case err == nil && (!json.Valid(line) || string(frame.Channel) != "news" || frame.Op != wire.OpPublish):
			t.Errorf("%q was taken: %s to %s", line, frame.Op, frame.Channel)
		}
	})
}
