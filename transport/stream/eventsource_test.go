package stream

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// An eventSource interprets a stream as WHATWG HTML section 9.2.6 says, step by
// step, so that the tests of the encoder do not depend on what the encoder
// believes the format to be. It takes the whole stream at once.
type eventSource struct {
	events      []event
	lastEventID string
	retry       time.Duration // zero: not told
	comments    []string

	data, typ, id string // the buffers
}

type event struct{ typ, data, lastEventID string }

func parseEventStream(b []byte) *eventSource {
	es := &eventSource{}
	s := decodeUTF8(b)
	for s != "" {
		// end-of-line = ( cr lf / cr / lf ). What has no end of line at the end
		// of the file is no line, and is discarded.
		i := strings.IndexAny(s, "\r\n")
		if i < 0 {
			break
		}
		line, rest := s[:i], s[i+1:]
		if s[i] == '\r' {
			rest = strings.TrimPrefix(rest, "\n")
		}
		s = rest
		es.line(line)
	}
	return es // a block that was not ended is discarded
}

// decodeUTF8 is "UTF-8 decode": one leading BOM is dropped, and what is not
// UTF-8 is replaced.
func decodeUTF8(b []byte) string {
	s := strings.TrimPrefix(string(b), "\ufeff")
	var out strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		out.WriteRune(r)
		s = s[n:]
	}
	return out.String()
}

func (es *eventSource) line(line string) {
	if line == "" {
		es.dispatch()
		return
	}
	field, value, colon := strings.Cut(line, ":")
	if colon && field == "" {
		es.comments = append(es.comments, value)
		return
	}
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		es.typ = value
	case "data":
		es.data += value + "\n"
	case "id":
		if !strings.Contains(value, "\x00") {
			es.id = value
		}
	case "retry":
		if value != "" && strings.Trim(value, "0123456789") == "" {
			ms, _ := strconv.Atoi(value)
			es.retry = time.Duration(ms) * time.Millisecond
		}
	}
}

func (es *eventSource) dispatch() {
	es.lastEventID = es.id
	data, typ := es.data, es.typ
	es.data, es.typ = "", ""
	if data == "" {
		return
	}
	if typ == "" {
		typ = "message"
	}
	es.events = append(es.events, event{typ, strings.TrimSuffix(data, "\n"), es.lastEventID})
}

// The interpreter is held against the streams of the web-platform-tests
// (eventsource/format-*), and what those tests expect of them.
func TestEventSource(t *testing.T) {
	message := func(data string) event { return event{typ: "message", data: data} }
	for _, tt := range []struct {
		name, stream string
		want         []event
	}{
		{"bom", "\ufeffdata:1\n\n\ufeffdata:2\n\ndata:3\n\n", []event{message("1"), message("3")}},
		{"bom-2", "\ufeff\ufeffdata:1\n\ndata:2\n\ndata:3\n\n", []event{message("2"), message("3")}},
		{"comments", "data:1\r:\x00\n:\r\ndata:2\n:" + strings.Repeat("x", 2049) + "\rdata:3\n:data:fail\r:" + strings.Repeat("x", 2049) + "\ndata:4\n\n",
			[]event{message("1\n2\n3\n4")}},
		{"data-before-final-empty-line", "retry:1000\ndata:test1\n\nid:test\ndata:test2", []event{message("test1")}},
		{"field-data", "data:\n\ndata\ndata\n\ndata:test\n\n", []event{message(""), message("\n"), message("test")}},
		{"field-event", "event:test\ndata:x\n\ndata:x\n\n", []event{{typ: "test", data: "x"}, message("x")}},
		{"field-event-empty", "event: \ndata:data\n\n", []event{message("data")}},
		{"field-id", "id:…\ndata:1\n\ndata:2\n\nid\ndata:3\n\n", []event{{"message", "1", "…"}, {"message", "2", "…"}, message("3")}},
		{"field-id-null", "id: 1\nid: a\x00b\ndata:x\n\n", []event{{"message", "x", "1"}}},
		{"field-parsing", "data:\x00\ndata:  2\rData:1\ndata\x00:2\ndata:1\r\x00data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
			[]event{message("\x00\n 2\n1\n3\n\n4")}},
		{"field-retry-bogus", "retry:3000\nretry:1000x\ndata:x\n\n", []event{message("x")}},
		{"field-unknown", "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n", []event{message("test\n\ntest")}},
		{"leading-space", "data:\ttest\rdata: \ndata:test\n\n", []event{message("\ttest\n\ntest")}},
		{"newlines", "data:test\r\ndata\ndata:test\r\n\r", []event{message("test\n\ntest")}},
		{"null-character", "data:\x00\n\n\n\n", []event{message("\x00")}},
		{"utf-8", "data:ok…\n\n", []event{message("ok…")}},
		{"not utf-8", "data:\xff\n\n", []event{message("\ufffd")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseEventStream([]byte(tt.stream)).events; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
