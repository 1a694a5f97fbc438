package stream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http/httputil"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Frames arrive as they are, with ids that say where the client stands.
func TestFrameEvents(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		for _, tt := range []struct{ name, tail, behind string }{
			{"reader", "", ""},
			{"session", testTail, "/" + testTail},
		} {
			t.Run(tt.name, func(t *testing.T) {
				d := newDesk(t)
				d.begin = func(f *fake) error {
					f.at = "1-7-1"
					if tt.tail != "" {
						f.SetTail(tt.tail)
					}
					f.send(`{"op":"connected"}`, "1-8-1") // before the header has left
					return nil
				}
				s := serve(t, d.over(tt.tail != ""), m)
				r := s.do("GET", "/", "", wantsSSE)
				if got := r.resp.Header; got.Get("Longwire-Session") != "s" || got.Get("Longwire-Link") != "" {
					t.Errorf("header %v", got)
				}
				if line := r.line(); !strings.HasPrefix(line, "retry: ") {
					t.Errorf("first line %q", line)
				}
				r.want("id: 1-7-1"+tt.behind, "", `data: {"op":"connected"}`, "id: 1-8-1"+tt.behind, "")
				f := next(t, d.opened)
				f.on(func() {
					f.send(`{"op":"message","data":1}`, "1-9-1")
					f.send(`{"op":"reply","id":1}`, "")
					f.send(`{"op":"ping","position":"1-9-2"}`, "1-9-2")
					f.send(`{"op":"ping"}`, "")
					f.SendFramed(f.Form().Append(nil, longwire.JSON, []byte(`{"op":"pong"}`)), false)
					f.Close(longwire.Close{Code: wire.CodeForbidden})
				})
				r.want(`data: {"op":"message","data":1}`, "id: 1-9-1"+tt.behind, "", `data: {"op":"reply","id":1}`, "",
					": ping", "id: 1-9-2"+tt.behind, "", ": ping", "", `data: {"op":"pong"}`, "",
					"retry: 3600000", "event: close")
				if line := r.line(); !strings.HasPrefix(line, `data: {"code":"forbidden"`) || !strings.HasSuffix(line, `"retry":-1}`) {
					t.Errorf("last line %q", line)
				}
				if rest := r.all(); rest != "\n" {
					t.Errorf("then %q", rest)
				}
				next(t, f.closed)
			})
		}
	})
}

// A tail that is set after the stream has begun counts from then on.
func TestTailLater(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		d := newDesk(t)
		s := serve(t, d.over(true), m)
		r := s.do("GET", "/", "", wantsSSE)
		f := next(t, d.opened)
		f.on(func() {
			f.send(`1`, "1-1-1")
			f.SetTail(testTail)
			f.send(`2`, "1-2-1")
		})
		r.line()
		r.want("", "data: 1", "id: 1-1-1", "", "data: 2", "id: 1-2-1/"+testTail, "")
	})
}

// EventSource makes no event of a ping, and remembers where it stood.
func TestPingIsNoEvent(t *testing.T) {
	n := encodingOf(frameSSE)
	b := n.Open(nil, &Opening{Retry: time.Second, ID: "1-1-1/" + testTail})
	es := parseEventStream(b)
	if len(es.events) > 0 || es.lastEventID != "1-1-1/"+testTail || es.retry != time.Second {
		t.Errorf("opening: %+v", es)
	}
	b = n.plain.AppendAt(b, longwire.JSON, []byte(`{"op":"message"}`), "1-2-1")
	b = n.plain.AppendAt(b, longwire.JSON, []byte(`{"op":"ping","position":"1-3-1"}`), "1-3-1")
	b = n.plain.Append(b, longwire.JSON, []byte(`{"op":"pinged"}`))
	es = parseEventStream(b)
	want := []event{{"message", `{"op":"message"}`, "1-2-1"}, {"message", `{"op":"pinged"}`, "1-3-1"}}
	if !reflect.DeepEqual(es.events, want) || es.lastEventID != "1-3-1" {
		t.Errorf("%+v", es)
	}
}

func TestFrameNDJSON(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		d := newDesk(t)
		d.begin = func(f *fake) error {
			f.at = "1-7-1"
			f.SetTail(testTail) // is of no use here
			return nil
		}
		s := serve(t, d.over(true), m)
		r := s.do("GET", "/", "", wantsLines)
		f := next(t, d.opened)
		f.on(func() {
			f.send(`{"op":"ping","position":"1-9-2"}`, "1-9-2")
			f.send(`{"op":"message"}`, "1-9-2")
			f.Close(longwire.Close{Code: wire.CodeDraining, Reason: "soon", Retry: time.Second})
		})
		r.want(`{"op":"ping","position":"1-9-2"}`, `{"op":"message"}`, `{"op":"close","code":"draining","reason":"soon","retry":1000}`)
		if rest := r.all(); rest != "" {
			t.Errorf("then %q", rest)
		}
	})
}

// A message is framed once for all links of a form, whatever their tails.
func TestTailsShareFrames(t *testing.T) {
	l := []*link{{enc: encodingOf(frameSSE), chunked: true}, {enc: encodingOf(frameSSE), chunked: true}}
	l[0].SetTail(testTail)
	l[1].SetTail(strings.Repeat("x", tailBytes))
	m := longwire.NewMessageAt(longwire.JSON, []byte(`{"op":"message"}`), "1-2-1")
	a, endA := l[0].framed(m)
	b, endB := l[1].framed(m)
	if &a[0] != &b[0] {
		t.Error("framed twice")
	}
	if bytes.Equal(endA, endB) {
		t.Error("their ends are equal")
	}
	// What has no id ends alike everywhere.
	other := &link{enc: encodingOf(frameSSE), chunked: true}
	m = longwire.NewMessage(longwire.JSON, []byte(`{"op":"message"}`))
	a, endA = l[0].framed(m)
	b, endB = other.framed(m)
	if &a[0] != &b[0] || endA != nil || endB != nil {
		t.Error("a frame without an id is not shared")
	}
}

// A chunk is as long as it says, tail included, whatever the length of its size.
func FuzzTailedChunk(f *testing.F) {
	for n := range 20 {
		f.Add(n*16-55, "1-2-1")
	}
	f.Add(4000, "")
	f.Fuzz(func(t *testing.T, n int, at string) {
		if n < 0 || n > 1<<17 || strings.ContainsAny(at, "\r\n\x00") {
			return
		}
		frame := bytes.Repeat([]byte{'x'}, n)
		m := longwire.NewMessageAt(longwire.JSON, frame, longwire.Position(at))
		for _, chunked := range []bool{false, true} {
			l := &link{enc: encodingOf(frameSSE), chunked: chunked}
			l.SetTail(testTail)
			head, end := l.framed(m)
			b := append(bytes.Clone(head), end...)
			if chunked {
				var err error
				if b, err = io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(append(b, lastChunk...)))); err != nil {
					t.Fatal(err)
				}
			}
			want := fmt.Sprintf("data: %s\nid: %s/%s\n\n", frame, at, testTail)
			if at == "" {
				want = fmt.Sprintf("data: %s\n\n", frame)
			}
			if string(b) != want {
				t.Errorf("%.100q, want %.100q", b, want)
			}
		}
	})
}

func TestTailOfAnotherLength(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was taken")
		}
	}()
	(&link{enc: encodingOf(frameSSE)}).SetTail("short")
}

// A slow reader's bound counts tails, and what waits meanwhile is in order.
func TestTailFull(t *testing.T) {
	d := newDesk(t)
	d.begin = func(f *fake) error { f.SetTail(testTail); return nil }
	s := serve(t, d.over(true), modes[0])
	c := s.dial()
	c.say("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
	f := next(t, d.opened)
	data := `{"op":"message","data":"` + strings.Repeat("x", 3000) + `"}`
	sent := 0
	f.on(func() {
		for ; ; sent++ {
			waiting, err := f.link.Send(longwire.NewMessageAt(longwire.JSON, []byte(data), longwire.Position(fmt.Sprint(sent))))
			if err == longwire.ErrFull {
				return
			}
			if err != nil || waiting > wire.MaxQueuedOut {
				t.Errorf("%d wait, %v", waiting, err)
				return
			}
		}
	})
	resp := c.response()
	r := &reading{Reader: bufio.NewReader(resp.Body), t: t}
	r.line()
	r.want("")
	for i := range sent {
		r.want("data: "+data, fmt.Sprintf("id: %d/%s", i, testTail), "")
	}
	next(t, f.room)
}
