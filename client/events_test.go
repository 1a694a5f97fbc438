package client

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/longwire/longwire/wire"
)

func eventsOf(r io.Reader) (list []string, retry time.Duration, err error) {
	er := &eventReader{lines: newLineReader(r)}
	for {
		ev, err := er.next()
		if err != nil {
			return list, er.retry, err
		}
		if ev.data == nil {
			list = append(list, "at "+ev.id)
			continue
		}
		list = append(list, fmt.Sprintf("%s:%s:%s", ev.name, ev.id, ev.data))
	}
}

func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		name, stream string
		want         []string
		retry        time.Duration
	}{
		{"message", "data: {}\n\n", []string{"::{}"}, 0},
		{"with an id behind it", "data: {}\nid: p1/S.X\n\n", []string{":p1/S.X:{}"}, 0},
		{"opening", "retry: 1500\nid: p0/S.X\n\n", []string{"at p0/S.X"}, 1500 * time.Millisecond},
		{"heartbeats", ": ping\nid: p2\n\n:\n\n", []string{"at p2"}, 0},
		{"named", "event: close\ndata: {}\n\ndata: 1\n\n", []string{"close::{}", "::1"}, 0},
		{"CRLF, BOM and no space", "\ufeffdata:1\r\nid:x\r\n\r\n", []string{":x:1"}, 0},
		{"several lines", "data: 1\ndata\ndata:  2\n\n", []string{"::1\n\n 2"}, 0},
		{"empty data", "data\n\n", []string{"::"}, 0},
		{"id with NUL, bad retry, unknown field", "id: a\x00b\nretry: 1s\nfoo: bar\ndata: 1\n\n", []string{"::1"}, 0},
		{"cut", "data: 1\n\ndata: 2\n", []string{"::1"}, 0},
		{"long", "data: " + strings.Repeat("x", 100_000) + "\n\n", []string{"::" + strings.Repeat("x", 100_000)}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.stream), iotest.OneByteReader(strings.NewReader(tt.stream))} {
				got, retry, err := eventsOf(r)
				if !slices.Equal(got, tt.want) || retry != tt.retry || !errors.Is(err, io.EOF) {
					t.Errorf("%.200q, retry %v, %v", got, retry, err)
				}
			}
		})
	}
}

// However a stream is cut into pieces, it is the same stream, and nothing in it
// harms the reader.
func FuzzEvents(f *testing.F) {
	f.Add("retry: 1\nid: a\n\ndata: 1\ndata: 2\n\n: x\n\r\nevent: close\ndata:\n\n")
	f.Add("\ufeff\n\ndata\n\nid\n\nid:\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		whole, r1, err1 := eventsOf(strings.NewReader(s))
		pieces, r2, err2 := eventsOf(iotest.OneByteReader(strings.NewReader(s)))
		if !slices.Equal(whole, pieces) || r1 != r2 || !errors.Is(err1, io.EOF) || !errors.Is(err2, io.EOF) {
			t.Errorf("%q, %v, %v\n%q, %v, %v", whole, r1, err1, pieces, r2, err2)
		}
	})
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 50_000)
	l := newLineReader(strings.NewReader("a\r\n\n" + long + "\nb\ncut"))
	for _, want := range []string{"a", "", long, "b"} {
		if p, err := l.next(); err != nil || string(p) != want {
			t.Errorf("%.20q, %v; want %.20q", p, err, want)
		}
	}
	if p, err := l.next(); !errors.Is(err, io.EOF) || p != nil {
		t.Errorf("%q, %v", p, err)
	}
	endless := newLineReader(io.MultiReader(strings.NewReader(strings.Repeat("x", maxFrame)), strings.NewReader(long)))
	if _, err := endless.next(); wire.CodeOf(err) != wire.CodeTooLarge {
		t.Error(err)
	}
}

// A frame of the server's is anything until it is looked at.
func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"op":"message","channel":"a","position":"p","data":1,"time":"2026-11-22T12:00:00.000Z"}`))
	f.Add([]byte(`{"op":"message","channel":"a","type":"text","data":"x"}`))
	f.Add([]byte(`{"op":"reply","id":1,"publications":[{"data64":"/w=="}],"position":"p"}`))
	f.Add([]byte(`{"op":"close","code":"draining","retry":-1}`))
	f.Fuzz(func(t *testing.T, p []byte) {
		fr, err := parseFrame(p)
		if err != nil {
			if wire.CodeOf(err) != wire.CodeBadFrame {
				t.Error(err)
			}
			return
		}
		_, _ = messageOf(fr)
		_, _ = pageOf(fr)
		_ = fr.Err()
	})
}
