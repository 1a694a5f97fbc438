package stream

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

var quiet = slog.New(slog.DiscardHandler)

// post talks back to the stream that r reads.
func (s *site) post(r *reading, body string, header ...string) *reading {
	s.t.Helper()
	h := r.resp.Header
	return s.say(h.Get("Longwire-Link"), h.Get("Longwire-Secret"), body, header...)
}

func (s *site) say(link, secret, body string, header ...string) *reading {
	s.t.Helper()
	return s.do("POST", "/?link="+link, body, append(header, "Longwire-Secret: "+secret)...)
}

func TestPostKinds(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		room := newRoom(false)
		s := serve(t, &Handler{Acceptor: room, Upstream: true}, m)
		r := s.do("GET", "/", "")
		for _, tt := range []struct {
			name, contentType, body string
			want                    []string
		}{
			{"text", "text/plain", "hé", []string{"text hé"}},
			{"text with a charset", "text/markdown; charset=utf-8", "x", []string{"text x"}},
			{"JSON as it is", "application/json", "{ \"a\":\n1 }", []string{"json { \"a\":\n1 }"}},
			{"binary", "application/octet-stream", "\xff\x00", []string{"binary \xff\x00"}},
			{"anything else", "image/png", "x", []string{"binary x"}},
			{"nothing", "text/plain", "", []string{"text "}},
			{"curl, text", "application/x-www-form-urlencoded", "hello", []string{"text hello"}},
			{"curl, an object", "application/x-www-form-urlencoded", ` {"a":1}`, []string{`json  {"a":1}`}},
			{"curl, a number", "application/x-www-form-urlencoded", `1`, []string{`text 1`}},
			{"curl, bytes", "application/x-www-form-urlencoded", "\xff", []string{"binary \xff"}},
			{"no type", "", "hello", []string{"text hello"}},
			{"lines", "application/x-ndjson", "\"a\\u00e9\"\r\n\n {\"b\": 1} \n{\"data64\":\"/wA=\"}\n{\"data64\":\"x\",\"c\":1}\n1",
				[]string{"text aé", "json {\"b\": 1}", "binary \xff\x00", `json {"data64":"x","c":1}`, "json 1"}},
			{"no lines", "application/x-ndjson", "", nil},
			{"empty lines", "application/x-ndjson", "\n\r\n  \n", nil},
		} {
			t.Run(tt.name, func(t *testing.T) {
				s.post(r, tt.body, "Content-Type: "+tt.contentType).wantStatus(202, "")
				var got []string
				for range tt.want {
					got = append(got, next(t, room.heard))
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("heard %q, want %q", got, tt.want)
				}
			})
		}
		if len(room.heard) > 0 {
			t.Errorf("also heard %q", <-room.heard)
		}
	})
}

func TestPostRefused(t *testing.T) {
	room := newRoom(true)
	s := serve(t, &Handler{Acceptor: room, Upstream: true, MaxMessage: 1000, Encoders: []*Encoder{SSE}}, modes[0])
	r := s.do("GET", "/", "")
	link, secret := r.resp.Header.Get("Longwire-Link"), r.resp.Header.Get("Longwire-Secret")
	other := s.do("GET", "/", "")
	foreign := other.resp.Header.Get("Longwire-Secret")
	long := strings.Repeat("x", 1001)
	for _, tt := range []struct {
		name, link, secret, contentType, body string
		status                                int
		code                                  string
	}{
		{"no secret", link, "", "", "x", 403, "forbidden"},
		{"another's secret", link, foreign, "", "x", 403, "forbidden"},
		{"a part of the secret", link, secret[:21], "", "x", 403, "forbidden"},
		{"an unknown link", "AAAAAAAAAAAAAAAAAAAAAA", secret, "", "x", 404, "not_found"},
		{"not a link", "x", secret, "", "x", 404, "not_found"},
		{"an empty link", "", secret, "", "x", 404, "not_found"},
		{"too large", link, secret, "text/plain", long, 413, "too_large"},
		{"too large without a right to it", link, "", "text/plain", long, 403, "forbidden"},
		{"too many lines", link, secret, "application/x-ndjson", strings.Repeat("1\n", 501), 413, "too_large"},
		{"not JSON", link, secret, "application/json", "{", 400, "bad_request"},
		{"no JSON", link, secret, "application/json", "", 400, "bad_request"},
		{"not UTF-8", link, secret, "text/plain", "\xff", 400, "bad_utf8"},
		{"a bad line", link, secret, "application/x-ndjson", "1\n{\n", 400, "bad_request"},
		{"bad base64", link, secret, "application/x-ndjson", `{"data64":"?"}`, 400, "bad_request"},
		{"binary that is no string", link, secret, "application/x-ndjson", `{"data64":1}`, 400, "bad_request"},
		{"a bad type", link, secret, "text/", "x", 400, "bad_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.say(tt.link, tt.secret, tt.body, "Content-Type: "+tt.contentType).wantStatus(tt.status, tt.code)
		})
	}
	s.do("POST", "/", "x").wantStatus(400, "bad_request")
	s.do("GET", "/?link="+link, "") // without Poll among the encoders, just a stream
	s.say(link, secret, strings.Repeat("x", 1000)).wantStatus(202, "")
	if got := next(t, room.heard); len(got) != 1005 || len(room.heard) > 0 {
		t.Errorf("%d bytes, %d more", len(got), len(room.heard))
	}
	for range 3 {
		next(t, room.opened).Close("", "")
		next(t, room.closed)
	}
	s.say(link, secret, "x").wantStatus(404, "not_found")
}

// A body whose length is not told is refused as soon as it is too long.
func TestPostChunkedTooLarge(t *testing.T) {
	room := newRoom(true)
	s := serve(t, &Handler{Acceptor: room, Upstream: true, MaxMessage: 1000}, modes[0])
	r := s.do("GET", "/", "")
	c := s.dial()
	c.say(fmt.Sprintf("POST /?link=%s HTTP/1.1\r\nHost: x\r\nLongwire-Secret: %s\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n",
		r.resp.Header.Get("Longwire-Link"), r.resp.Header.Get("Longwire-Secret")))
	c.say(strings.Repeat("x", 1500)) // and nothing more
	if resp := c.response(); resp.StatusCode != 413 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// The first event of an EventSource tells a page how to talk back.
func TestOpenEvent(t *testing.T) {
	everyMode(t, func(t *testing.T, m mode) {
		p := &longwire.Plain{Message: func(c *longwire.Conn, k longwire.Kind, p []byte) { c.Send(k, p) }}
		s := serve(t, &Handler{Acceptor: p, Upstream: true}, m)
		r := s.do("GET", "/", "", wantsSSE)
		r.line()
		r.want("", "event: open")
		var o struct{ Link, Secret string }
		if err := json.Unmarshal([]byte(strings.TrimPrefix(r.line(), "data: ")), &o); err != nil {
			t.Fatal(err)
		}
		h := r.resp.Header
		if len(o.Link) != 22 || len(o.Secret) != 22 || o.Link != h.Get("Longwire-Link") || o.Secret != h.Get("Longwire-Secret") {
			t.Errorf("%+v, header %q", o, h)
		}
		r.want("")
		s.say(o.Link, o.Secret, "echo").wantStatus(202, "")
		r.want("data: echo", "")
	})
}

// Bodies are told in the order in which they were complete, in one piece each.
func TestPostOrder(t *testing.T) {
	room := newRoom(false)
	s := serve(t, &Handler{Acceptor: room, Upstream: true}, modes[0])
	r := s.do("GET", "/", "")
	for i := range 50 {
		s.post(r, fmt.Sprintf("%d\n%d.5", i, i), "Content-Type: application/x-ndjson").wantStatus(202, "")
	}
	for i := range 50 {
		for _, want := range []string{fmt.Sprintf("json %d", i), fmt.Sprintf("json %d.5", i)} {
			if got := next(t, room.heard); got != want {
				t.Fatalf("%q, want %q", got, want)
			}
		}
	}
}

// A long body of tiny lines is told in parts.
func TestPostManyLines(t *testing.T) {
	n := make(chan int, 1)
	count := 0
	p := &longwire.Plain{OnLoop: true, Message: func(*longwire.Conn, longwire.Kind, []byte) {
		if count++; count == 20000 {
			n <- count
		}
	}}
	s := serve(t, &Handler{Acceptor: p, Upstream: true}, modes[0])
	r := s.do("GET", "/", "")
	s.post(r, strings.Repeat("1\n", 20000), "Content-Type: application/x-ndjson").wantStatus(202, "")
	next(t, n)
}

func FuzzPost(f *testing.F) {
	for _, c := range []string{"", "text/plain", "application/json", "application/x-ndjson", "a/b; c"} {
		f.Add(c, []byte("{\"data64\":\"AA==\"}\n\"x\"\n\n1"))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		d, err := newDelivery(contentType, body)
		if err != nil {
			if status := err.Code.Status(); status < 400 || status > 499 {
				t.Errorf("%v", err)
			}
			return
		}
		for n := 0; n == 0 || len(d.body) > 0; n++ {
			kind, p, ok := d.next()
			if !ok && len(d.body) > 0 {
				t.Fatalf("a body that was checked is refused: %q", body)
			}
			if ok && kind == longwire.JSON && !json.Valid(p) {
				t.Errorf("%q is no JSON", p)
			}
		}
	})
}

// statusOf is for requests whose answer matters alone.
func statusOf(resp *http.Response, err error) (int, wire.Code) {
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	var p struct{ Code wire.Code }
	b, _ := io.ReadAll(resp.Body)
	json.Unmarshal(b, &p)
	return resp.StatusCode, p.Code
}
