package server

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Whatever a client sends, the answer is one line of JSON, and what is taken as
// a publication comes out as it went in.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		`{"op":"publish","id":1,"channel":"a","data":{"x": [1.50, "<\u2028>"]}}`, `{"op":"publish","type":"text","data":"a\nb\u0000"}`,
		`{"op":"publish","data64":"AAE="}`, `{"id":-1}`, `{"id":9007199254740992}`, `[`, `{`, "{\"op\":\"\xff\"}", `{"op":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		q, err := parseRequest(p)
		kind, data, dataErr := q.data()
		if err == nil {
			err = dataErr
		}
		if err != nil {
			checkLine(t, appendError(nil, q.id, errorOf(err)))
			return
		}
		checkData(t, kind, data)
	})
}

func FuzzPublication(f *testing.F) {
	f.Add(uint8(longwire.Text), []byte("a\"\\\r\n\x00\x7f\u2028é"))
	f.Add(uint8(longwire.JSON), []byte(` { "a" : [ 1e400 , "\u0000 " ] } `))
	f.Add(uint8(longwire.Binary), []byte{0, 0xff})
	f.Fuzz(func(t *testing.T, kind uint8, p []byte) { checkData(t, longwire.Kind(kind%3), p) })
}

func checkData(t *testing.T, kind longwire.Kind, p []byte) {
	data, err := appendData(nil, kind, p)
	if err != nil {
		if kind == longwire.Binary || kind == longwire.Text && utf8.Valid(p) || kind == longwire.JSON && utf8.Valid(p) && json.Valid(p) {
			t.Fatalf("%s %q was refused: %v", kind, p, err)
		}
		if wire.CodeOf(err) == wire.CodeInternal {
			t.Fatalf("%v has no code", err)
		}
		return
	}
	line := appendMessage(nil, "a", 1, data, time.Unix(0, 0))
	checkLine(t, line)
	var got struct {
		Data   json.RawMessage
		Data64 []byte
	}
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	switch kind {
	case longwire.Binary:
		if !bytes.Equal(got.Data64, p) {
			t.Errorf("%q became %q", p, got.Data64)
		}
	case longwire.Text:
		var s string
		if err := json.Unmarshal(got.Data, &s); err != nil || s != string(p) {
			t.Errorf("%q became %q, %v", p, s, err)
		}
	case longwire.JSON:
		var want bytes.Buffer
		if err := json.Compact(&want, p); err != nil || want.String() != string(got.Data) {
			t.Errorf("%q became %q, %v", p, got.Data, err)
		}
	}
}

func checkLine(t *testing.T, line []byte) {
	if !json.Valid(line) || !utf8.Valid(line) || bytes.ContainsAny(line, "\r\n") {
		t.Fatalf("not one line of JSON: %q", line)
	}
}
