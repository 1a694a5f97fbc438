package longwire_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// A bad is what makes of a publication one that cannot be.
type bad struct {
	name  string
	spoil func(p *longwire.Publication)
	want  wire.Code
}

var bads = []bad{
	{"name", func(p *longwire.Publication) { p.Channel = "a..b" }, wire.CodeBadChannel},
	{"pattern", func(p *longwire.Publication) { p.Channel = "a.*" }, wire.CodeBadChannel},
	{"long key", func(p *longwire.Publication) { p.Key = strings.Repeat("k", wire.MaxKey+1) }, wire.CodeBadFrame},
	{"key", func(p *longwire.Publication) { p.Key = "\xff" }, wire.CodeBadUTF8},
	{"many headers", func(p *longwire.Publication) {
		p.Headers = map[string]string{}
		for i := range wire.MaxHeaders + 1 {
			p.Headers[fmt.Sprint(i)] = ""
		}
	}, wire.CodeBadFrame},
	{"large headers", func(p *longwire.Publication) {
		p.Headers = map[string]string{"a": strings.Repeat("x", wire.MaxHeaderBytes)}
	}, wire.CodeBadFrame},
	{"headers", func(p *longwire.Publication) { p.Headers = map[string]string{"a": "\xff"} }, wire.CodeBadUTF8},
	{"content type", func(p *longwire.Publication) { p.Kind, p.ContentType = longwire.Binary, "no type" }, wire.CodeBadFrame},
	{"content type of JSON", func(p *longwire.Publication) { p.ContentType = "image/png" }, wire.CodeBadFrame},
	{"kind", func(p *longwire.Publication) { p.Kind = longwire.JSON + 1 }, wire.CodeBadFrame},
	{"JSON", func(p *longwire.Publication) { p.Data = []byte(`{"a":`) }, wire.CodeBadRequest},
	{"no JSON", func(p *longwire.Publication) { p.Data = nil }, wire.CodeBadRequest},
	{"JSON of other data", func(p *longwire.Publication) { p.Kind, p.Data = longwire.JSON, []byte("words") }, wire.CodeBadRequest},
	{"text", func(p *longwire.Publication) { p.Kind, p.Data = longwire.Text, []byte("\xff") }, wire.CodeBadUTF8},
	{"large", func(p *longwire.Publication) { p.Kind, p.Data = longwire.Binary, make([]byte, 101) }, wire.CodeTooLarge},
}

func TestPublishChecks(t *testing.T) {
	inBubble(t, longwire.Options{Open: true, MaxMessage: 100}, func(t *testing.T, r *rig) {
		for _, b := range bads {
			p := &longwire.Publication{Channel: "x", Kind: longwire.JSON, Data: []byte("1")}
			b.spoil(p)
			o := &longwire.PublishOptions{Kind: p.Kind, ContentType: p.ContentType, Key: p.Key, Headers: p.Headers}
			if at, err := r.node.Publish(t.Context(), p.Channel, p.Data, o); wire.CodeOf(err) != b.want {
				t.Errorf("%s: published at %q, %v, want %q", b.name, at, err, b.want)
			}
			r.node.PublishFunc(p.Channel, p.Data, o, func(at longwire.Position, err error) {
				if wire.CodeOf(err) != b.want {
					t.Errorf("%s: published at %q, %v, want %q", b.name, at, err, b.want)
				}
			})
		}
		headers := map[string]string{"a": "b"}
		o := &longwire.PublishOptions{ContentType: "image/png", Key: strings.Repeat("k", wire.MaxKey), Headers: headers}
		if _, err := r.node.Publish(t.Context(), "x", []byte("1"), o); err != nil {
			t.Error(err)
		}
		headers["a"] = "changed behind its back"
		if a := r.do("GET", "/channels/x/history", ""); !strings.Contains(a.body, `"headers":{"a":"b"}`) || strings.Contains(a.body, "behind") {
			t.Errorf("kept is %s", a.body)
		}
	})
}

// TestPublishHookIsChecked has a hook spoil what was good, in all ways in which it can.
func TestPublishHookIsChecked(t *testing.T) {
	o := longwire.Options{MaxMessage: 100, Handler: longwire.Handler{Publish: func(_ context.Context, _ *longwire.Session, p *longwire.Publication) error {
		switch p.Channel {
		case "compact":
			p.Data = []byte("{\n\t\"a\": 1\n}")
			return nil
		case "bytes":
			p.Kind, p.Headers = longwire.Binary, nil
			return nil
		}
		for _, b := range bads {
			if b.name == p.Headers["bad"] {
				b.spoil(p)
			}
		}
		return nil
	}}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		for _, name := range []string{"x", "compact", "bytes"} {
			p.reply(`{"op":"subscribe","channel":%q}`, name)
		}
		for _, b := range bads {
			f := p.ask(`{"op":"publish","channel":"x","data":{"a": 1},"headers":{"bad":%q}}`, b.name)
			if f.Op != "error" || f.Code != string(b.want) {
				t.Errorf("%s: heard %v, want %s", b.name, f, b.want)
			}
		}
		p.silent()
		p.reply(`{"op":"publish","channel":"compact","data":1}`)
		p.message("compact", `{"a":1}`)
		p.reply(`{"op":"publish","channel":"bytes","data":{"a": 1},"headers":{"bad":"JSON"}}`)
		if m := p.want("message"); string(m.Data64) != `{"a":1}` || m.Headers != nil {
			t.Errorf("heard %v", m)
		}
		p.reply(`{"op":"publish","channel":"x","data":1}`)
		p.message("x", "1")
	})
}

// TestSentIsChecked sends and replies what is over the limit that the peer was told, or is not
// what it says to be: the program hears so, and the peer nothing.
func TestSentIsChecked(t *testing.T) {
	const most = 100
	long := strings.Repeat("x", most)
	wrong := []struct {
		kind longwire.Kind
		data string
		want wire.Code
	}{
		{longwire.Binary, long + "x", wire.CodeTooLarge},
		{longwire.Text, long + "x", wire.CodeTooLarge},
		{longwire.JSON, `"` + long + `"`, wire.CodeTooLarge},
		{longwire.Text, "\xff", wire.CodeBadUTF8},
		{longwire.JSON, "{", wire.CodeBadRequest},
		{longwire.JSON + 1, "1", wire.CodeBadFrame},
	}
	o := longwire.Options{Open: true, MaxMessage: most, Handler: longwire.Handler{Call: func(s *longwire.Session, c *longwire.Call) {
		for _, tt := range wrong {
			if err := c.Reply(tt.kind, []byte(tt.data)); wire.CodeOf(err) != tt.want {
				t.Errorf("Reply(%v, %.10q): %v, want %s", tt.kind, tt.data, err, tt.want)
			}
			if err := s.Send("m", tt.kind, []byte(tt.data)); wire.CodeOf(err) != tt.want {
				t.Errorf("Send(%v, %.10q): %v, want %s", tt.kind, tt.data, err, tt.want)
			}
		}
		if err := s.Send("m", longwire.Text, []byte(long)); err != nil {
			t.Error(err)
		}
		if err := c.Reply(longwire.Binary, []byte(long)); err != nil {
			t.Errorf("the call can be answered no more: %v", err)
		}
	}}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.say(`{"op":"call","id":9,"method":"m","data":1}`)
		if f := p.want("send"); string(f.Data) != `"`+long+`"` {
			t.Errorf("heard %v", f)
		}
		if f := p.want("reply"); f.ID != 9 || string(f.Data64) != long {
			t.Errorf("heard %v", f)
		}
		p.silent()
	})
}
