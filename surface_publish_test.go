package longwire

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/wire"
)

// published is the answer to a publication.
type published struct {
	Channel     string
	Position    string
	Subscribers *int
}

// keptItem is a publication in a history.
type keptItem struct {
	Channel, Position, Type, Time, From string
	Data                                json.RawMessage
	Data64                              string
	Headers                             map[string]string
}

type historyAnswer struct {
	Channel      string
	Publications []keptItem
	Position     string
	Gap          bool
}

// What curl -d sends says nothing about what it is, so it is looked at.
func TestSurfacePublish(t *testing.T) {
	s := serveSurface(t, nil)
	for i, tt := range []struct{ contentType, body, want string }{
		{"", `{"a": 1}`, `"data":{"a":1}`},
		{"application/x-www-form-urlencoded", ` [1, 2] `, `"data":[1,2]`},
		{"application/x-www-form-urlencoded", `1`, `"type":"text","data":"1"`},
		{"application/x-www-form-urlencoded", `{x`, `"type":"text","data":"{x"`},
		{"", ``, `"type":"text","data":""`},
		{"", "\xfe", `"data64":"/g=="`},
		{"application/octet-stream", `{"a":1}`, `"data64":"eyJhIjoxfQ=="`},
		{"image/png", "\xfe", `"type":"image/png","data64":"/g=="`},
		{"text/markdown", `{"a":1}`, `"type":"text","data":"{\"a\":1}"`},
		{"application/json; charset=UTF-8", ` "x" `, `"data":"x"`},
	} {
		channel := fmt.Sprint("c", i)
		header := []string{"Content-Type", tt.contentType}
		if tt.contentType == "" {
			header = nil
		}
		a := s.do("POST", "/channels/"+channel, tt.body, header...)
		p := decode[published](t, a.body)
		if a.status != 200 || a.header.Get("Content-Type") != "application/json" || p.Channel != channel || p.Subscribers == nil || *p.Subscribers != 0 {
			t.Errorf("%q: %+v", tt.contentType, a)
		}
		if _, ok := parsePosition(p.Position); !ok {
			t.Errorf("position %q", p.Position)
		}
		h := s.do("GET", "/channels/"+channel+"/history", "")
		if !strings.Contains(h.body, `"position":"`+p.Position+`",`+tt.want+`,"time":`) {
			t.Errorf("%q %q became %s, want %s", tt.contentType, tt.body, h.body, tt.want)
		}
	}
}

func TestSurfacePublishWithHeaders(t *testing.T) {
	b := newOddBroker(t)
	var got *Publication
	b.publish = func(p *Publication, done func(*Publication, error)) {
		got = p
		b.Broker.Publish(p, done)
	}
	s := serveSurface(t, &Options{Open: true, Broker: b})
	s.do("POST", "/channels/a", "x", "Idempotency-Key", `"order 42"`, "Longwire-Header-Trace-ID", "7", "longwire-header-lang", "de")
	if want := map[string]string{"trace-id": "7", "lang": "de"}; got.Key != "order 42" || !maps.Equal(got.Headers, want) || got.From != "" {
		t.Errorf("published %+v", got)
	}
	h := decode[historyAnswer](t, s.do("GET", "/channels/a/history", "").body)
	if len(h.Publications) != 1 || !maps.Equal(h.Publications[0].Headers, got.Headers) {
		t.Errorf("history %+v", h)
	}
}

// What the broker says is what the client hears; what is our own affair is not.
func TestSurfacePublishFails(t *testing.T) {
	b := newOddBroker(t)
	s := serveSurface(t, &Options{Open: true, Broker: b})
	for _, tt := range []struct {
		err    error
		status int
		code   wire.Code
	}{
		{&wire.Error{Code: wire.CodeKeyReused}, 422, wire.CodeKeyReused},
		{fmt.Errorf("broker: %w", &wire.Error{Code: wire.CodeNoSpace, Retry: 3 * time.Second}), 507, wire.CodeNoSpace},
		{&Close{Code: wire.CodeDraining}, 503, wire.CodeDraining},
		{io.ErrUnexpectedEOF, 500, wire.CodeInternal},
		{context.DeadlineExceeded, 504, wire.CodeOutcomeUnknown},
	} {
		b.publish = func(_ *Publication, done func(*Publication, error)) { go done(nil, tt.err) }
		a := s.do("POST", "/channels/a", "x")
		if a.status != tt.status || a.code() != tt.code || strings.Contains(a.body, "EOF") {
			t.Errorf("%v: %+v", tt.err, a)
		}
		if (tt.code == wire.CodeNoSpace) != (a.header.Get("Retry-After") == "3") {
			t.Errorf("%v: Retry-After %q", tt.err, a.header.Get("Retry-After"))
		}
		a = s.do("POST", "/channels/a", "{\"data\":1}\n", "Content-Type", "application/x-ndjson")
		if f := decode[lineAnswer](t, a.body); a.status != 200 || f.Code != tt.code || f.Line != 1 || f.Message == "" {
			t.Errorf("%v, in a batch: %+v", tt.err, a)
		}
	}
}

// A body that is too large is not even sent by those who ask first.
func TestSurfaceExpect(t *testing.T) {
	s := serveSurface(t, nil)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /lw/channels/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", wire.MaxMessage+1)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("%s, want 413", resp.Status)
	}
}
