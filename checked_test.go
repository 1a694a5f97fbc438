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
