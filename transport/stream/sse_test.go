package stream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// arrives is what becomes of a text on its way through EventSource.
func arrives(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.ReplaceAll(s, "\r", "\n")
}

// Whatever a message holds, it arrives as one event, whole, and unable to be
// anything else.
func TestSSEMessages(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind longwire.Kind
		data string
		want event
	}{
		{"text", longwire.Text, "hello", event{typ: "message", data: "hello"}},
		{"empty", longwire.Text, "", event{typ: "message"}},
		{"one line feed", longwire.Text, "\n", event{typ: "message", data: "\n"}},
		{"lines", longwire.Text, "a\nb\rc\r\nd", event{typ: "message", data: "a\nb\nc\nd"}},
		{"ends of lines at the end", longwire.Text, "a\r\n\n\r", event{typ: "message", data: "a\n\n\n"}},
		{"leading space", longwire.Text, " a\n  b", event{typ: "message", data: " a\n  b"}},
		{"a BOM", longwire.Text, "\ufeffa", event{typ: "message", data: "\ufeffa"}},
		{"NUL", longwire.Text, "a\x00b", event{typ: "message", data: "a\x00b"}},
		{"not ASCII", longwire.Text, "ok…\u2028\u0085😀", event{typ: "message", data: "ok…\u2028\u0085😀"}},
		{"a colon", longwire.Text, ":a\n:b", event{typ: "message", data: ":a\n:b"}},
		{"fields", longwire.Text, "x\nid: 1\nevent: y\nretry: 1\n\ndata: z", event{typ: "message", data: "x\nid: 1\nevent: y\nretry: 1\n\ndata: z"}},
		{"fields behind CR", longwire.Text, "x\rid: 1\r\rdata: z\r\r", event{typ: "message", data: "x\nid: 1\n\ndata: z\n\n"}},
		{"JSON", longwire.JSON, "{\r\n \"a\" :\t1 }", event{typ: "message", data: `{"a":1}`}},
		{"JSON with spaces inside", longwire.JSON, `[" \" ", "\\"]`, event{typ: "message", data: `[" \" ","\\"]`}},
		{"not JSON", longwire.JSON, "{\n\nid: 1", event{typ: "message", data: "{\n\nid: 1"}},
		{"binary", longwire.Binary, "\xff\n\n", event{typ: "binary", data: "/woK"}},
		{"no binary", longwire.Binary, "", event{typ: "binary"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Between two others, and after the usual beginning.
			b := SSE.Open(nil, &Opening{Retry: time.Second})
			b = SSE.Append(b, longwire.Text, []byte("before"))
			b = append(SSE.Append(b, tt.kind, []byte(tt.data)), SSE.Ping...)
			b = SSE.Append(b, longwire.Text, []byte("after"))
			es := parseEventStream(b)
			want := []event{{typ: "message", data: "before"}, tt.want, {typ: "message", data: "after"}}
			if !reflect.DeepEqual(es.events, want) {
				t.Errorf("%q, want %q", es.events, want)
			}
			if es.retry != time.Second || es.lastEventID != "" || len(es.comments) != 1 {
				t.Errorf("retry %v, id %q, comments %q", es.retry, es.lastEventID, es.comments)
			}
		})
	}
}

func TestSSEOpenAndClose(t *testing.T) {
	b := SSE.Open(nil, &Opening{Link: "l", Secret: "s", Retry: 1234567 * time.Microsecond})
	b = SSE.Close(b, &longwire.Close{Code: wire.CodeForbidden, Reason: "a\r\n\ndata: b\x00" + strings.Repeat("é", 80), Retry: -1})
	es := parseEventStream(b)
	if es.retry != neverAgain || len(es.events) != 2 {
		t.Fatalf("retry %v, %q", es.retry, es.events)
	}
	if want := (event{typ: "open", data: `{"link":"l","secret":"s"}`}); es.events[0] != want {
		t.Errorf("%q", es.events[0])
	}
	var c struct {
		Code, Reason string
		Retry        int
	}
	if err := json.Unmarshal([]byte(es.events[1].data), &c); err != nil || es.events[1].typ != "close" {
		t.Fatal(err, es.events[1])
	}
	if c.Code != "forbidden" || c.Retry != -1 || len(c.Reason) > wire.MaxReason || !strings.HasPrefix(c.Reason, "a\r\n\ndata: b\x00é") || !utf8.ValidString(c.Reason) {
		t.Errorf("%+v", c)
	}
	if got := parseEventStream(b[:bytes.IndexByte(b, '\n')+1]).retry; got != 1235*time.Millisecond {
		t.Errorf("retry %v", got)
	}
}

func TestAppendEvent(t *testing.T) {
	for _, tt := range []struct {
		name string
		e    Event
		want event
	}{
		{"all", Event{ID: "p-1", Name: "n", Data: []byte("d")}, event{"n", "d", "p-1"}},
		{"data alone", Event{Data: []byte("d")}, event{"message", "d", ""}},
		{"an id with LF", Event{ID: "1\ndata: x"}, event{"message", "", ""}},
		{"an id with CR", Event{ID: "1\r\rdata: x"}, event{"message", "", ""}},
		{"an id with NUL", Event{ID: "1\x00"}, event{"message", "", ""}},
		{"an id that is not ASCII", Event{ID: "…"}, event{"message", "", "…"}},
		{"an id with a space", Event{ID: " 1"}, event{"message", "", " 1"}},
		{"a name with line ends", Event{Name: "a\r\n\n\x00b"}, event{"ab", "", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseEventStream(AppendEvent(nil, &tt.e)).events; len(got) != 1 || got[0] != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzSSE(f *testing.F) {
	f.Add(uint8(1), []byte("a\r\nb\n\ndata: c"), "id", "name")
	f.Add(uint8(0), []byte("\xff\x00"), "a\x00", "a\nb")
	f.Add(uint8(2), []byte(`{"a": "\n"}`), "", "")
	f.Fuzz(func(t *testing.T, k uint8, p []byte, id, name string) {
		kind := longwire.Kind(k % 3)
		es := parseEventStream(SSE.Append(nil, kind, p))
		if len(es.events) != 1 || es.retry != 0 || es.lastEventID != "" || len(es.comments) > 0 {
			t.Fatalf("%+v", es)
		}
		got := es.events[0]
		switch {
		case kind == longwire.Binary:
			if b, err := base64.StdEncoding.DecodeString(got.data); err != nil || !bytes.Equal(b, p) || got.typ != "binary" {
				t.Errorf("%q, %v", got, err)
			}
		case kind == longwire.JSON && json.Valid(p):
			var want bytes.Buffer
			json.Compact(&want, p)
			if got.data != decodeUTF8(append([]byte("\ufeff"), want.Bytes()...)) || got.typ != "message" {
				t.Errorf("%q, want %q", got.data, &want)
			}
		case utf8.Valid(p):
			if got.data != arrives(string(p)) || got.typ != "message" {
				t.Errorf("%q", got)
			}
		}
		es = parseEventStream(AppendEvent(nil, &Event{ID: id, Name: name, Data: p}))
		if len(es.events) != 1 || es.retry != 0 || len(es.comments) > 0 {
			t.Errorf("%+v", es)
		}
		if want := decodeUTF8([]byte("\ufeff" + id)); es.lastEventID != "" && es.lastEventID != want {
			t.Errorf("id %q, want %q", es.lastEventID, want)
		}
	})
}
