package stream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httputil"
	"testing"
	"unicode/utf8"

	"github.com/longwire/longwire"
)

func TestNDJSON(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind longwire.Kind
		data string
		want string
	}{
		{"text", longwire.Text, "a\r\n\t\"\\\x00\x7fé\u2028😀", `"a\r\n\t\"\\\u0000` + "\x7f" + `é` + "\u2028" + `😀"`},
		{"not UTF-8", longwire.Text, "a\xffb\xc3", `"a` + "\ufffd" + `b` + "\ufffd" + `"`},
		{"empty", longwire.Text, "", `""`},
		{"JSON", longwire.JSON, "\t{\n\"a\" : [1.0e1, \" \\\" \\\\\", \"é\"] }\r\n", `{"a":[1.0e1," \" \\","é"]}`},
		{"not JSON", longwire.JSON, "{\n", `"{\n"`},
		{"two values", longwire.JSON, "1\n2", `"1\n2"`},
		{"binary", longwire.Binary, "\xff\n", `{"data64":"/wo="}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(NDJSON.Append([]byte("x"), tt.kind, []byte(tt.data))); got != "x"+tt.want+"\n" {
				t.Errorf("%q, want %q", got[1:], tt.want)
			}
		})
	}
}

// What is sent can be posted: the two directions speak alike.
func FuzzNDJSON(f *testing.F) {
	f.Add(uint8(0), []byte("\xff\n"))
	f.Add(uint8(1), []byte("a\nb\"\\"))
	f.Add(uint8(2), []byte("{\"a\": [1,\n2]}"))
	f.Fuzz(func(t *testing.T, k uint8, p []byte) {
		kind := longwire.Kind(k % 3)
		b := NDJSON.Append(nil, kind, p)
		line := b[:len(b)-1]
		if b[len(b)-1] != '\n' || bytes.ContainsAny(line, "\r\n") || !json.Valid(line) {
			t.Fatalf("%q", b)
		}
		back, q, err := parseElement(line)
		if err != nil {
			if kind == longwire.JSON && bytes.Contains(line, []byte("data64")) {
				return // JSON that looks like binary and is not
			}
			t.Fatal(err)
		}
		switch {
		case kind == longwire.Binary, kind == longwire.Text && utf8.Valid(p):
			if back != kind || !bytes.Equal(q, p) {
				t.Errorf("%v %q, want %v %q", back, q, kind, p)
			}
		case kind == longwire.JSON && json.Valid(p) && back == longwire.JSON:
			var want bytes.Buffer
			json.Compact(&want, p)
			if !bytes.Equal(q, want.Bytes()) {
				t.Errorf("%q, want %q", q, &want)
			}
		}
	})
}

// Chunks of all lengths of their length are read back by the standard library.
func TestChunks(t *testing.T) {
	form := &encodingOf(Lines).chunked
	var b, want []byte
	for _, n := range []int{0, 1, 14, 15, 16, 254, 255, 4095, 70000} {
		p := bytes.Repeat([]byte{'x'}, n)
		b = form.Append(b, longwire.Text, p)
		want = append(append(want, p...), '\n')
	}
	b = append(b, encodingOf(SSE).ping(true)...)
	want = append(want, SSE.Ping...)
	b = append(b, encodingOf(Poll).ping(true)...) // nothing
	got, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(append(b, lastChunk...))))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
	}
}

func TestEncodingAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 1<<10)
	for _, e := range []*Encoder{SSE, NDJSON, Poll, Lines} {
		for _, f := range []*longwire.Form{&encodingOf(e).plain, &encodingOf(e).chunked} {
			for kind, p := range map[longwire.Kind][]byte{
				longwire.Text: []byte("one\ntwo"), longwire.JSON: []byte(`{"a": 1}`), longwire.Binary: {1, 2, 3},
			} {
				if n := testing.AllocsPerRun(100, func() { f.Append(dst, kind, p) }); n != 0 {
					t.Errorf("%s, %v: %v allocations", f.Name, kind, n)
				}
			}
		}
	}
}

func ExampleEncoder() {
	// Text events with a name of their own, everything else as SSE has it.
	e := *SSE
	e.Append = func(dst []byte, kind longwire.Kind, p []byte) []byte {
		if kind == longwire.Text {
			return AppendEvent(dst, &Event{Name: "chat", Data: p})
		}
		return SSE.Append(dst, kind, p)
	}
	fmt.Printf("%q\n", e.Append(nil, longwire.Text, []byte("hi\nthere")))
	// Output: "event: chat\ndata: hi\ndata: there\n\n"
}
