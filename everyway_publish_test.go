package longwire_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

func TestKindsOfData(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		for _, tt := range []struct{ say, typ, data, data64 string }{
			{`"data":{"a": [1, 2.50e+01 ,"b"] }`, "", `{"a":[1,2.50e+01,"b"]}`, ""},
			{`"type":"json","data":null`, "", `null`, ""},
			{`"data":"a string"`, "", `"a string"`, ""},
			{`"type":"text","data":"h\u00e4llo\n\"you\" \ud83d\ude00"`, "text", `"hällo\n\"you\" 😀"`, ""},
			{`"type":"text","data":""`, "text", `""`, ""},
			{`"type":"text","data":"\ud800x"`, "text", "\"\ufffdx\"", ""},
			{`"data":{"\udc00":"\ud800"}`, "", `{"\udc00":"\ud800"}`, ""},
			{`"data64":"AAH/"`, "", "", "\x00\x01\xff"},
			{`"data64":""`, "", "", ""},
			{`"type":"image/png","data64":"iVBO"`, "image/png", "", "\x89PN"},
		} {
			q := r.dial(w, ways.Options{})
			done := q.reply(`{"op":"publish","channel":"x",%s}`, tt.say)
			m := p.want("message")
			if m.Type != tt.typ || string(m.Data) != tt.data || string(m.Data64) != tt.data64 || m.From != q.session || m.Position != done.Position {
				t.Errorf("%s arrived as %v, published at %s", tt.say, m, done.Position)
			}
			q.Cut()
		}
	})
}

func TestHeadersAndEcho(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.say(`{"op":"publish","id":50,"channel":"x","data":1,"key":"\ud800","headers":{"b":"2","a":"ä\n","\ud800":"\udc00"}}`)
		for range 2 { // its own echo and the reply, in either order
			switch f := p.next(); f.Op {
			case "message":
				if f.From != p.session || f.Headers["a"] != "ä\n" || f.Headers["b"] != "2" || f.Headers["\ufffd"] != "\ufffd" || len(f.Headers) != 3 {
					p.fatal("heard %v", f)
				}
			default:
				if f.ID != 50 || f.Op != "reply" || f.Channel != "x" {
					p.fatal("heard %v", f)
				}
			}
		}
		p.refused(wire.CodeBadFrame, `{"op":"publish","channel":"x","data":1,"headers":{"a":1}}`)
		p.refused(wire.CodeBadFrame, `{"op":"publish","channel":"x","data":1,"headers":[]}`)
		p.refused(wire.CodeBadFrame, `{"op":"publish","channel":"x","data":1,"headers":{"a":"%s"}}`, strings.Repeat("x", 4097))
	})
}

func TestKeys(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		q := r.dial(w, ways.Options{})
		first := q.reply(`{"op":"publish","channel":"x","data":{"n":1},"key":"k1"}`)
		again := q.reply(`{"op":"publish","channel":"x","data":{"n": 1},"key":"k1"}`)
		if first.Position != again.Position {
			t.Errorf("published at %s, and again at %s", first.Position, again.Position)
		}
		q.refused(wire.CodeKeyReused, `{"op":"publish","channel":"x","data":{"n":2},"key":"k1"}`)
		q.reply(`{"op":"publish","channel":"y","data":{"n":2},"key":"k1"}`)
		q.reply(`{"op":"publish","channel":"x","data":{"n":2},"key":"k2"}`)
		q.refused(wire.CodeBadFrame, `{"op":"publish","channel":"x","data":1,"key":"%s"}`, strings.Repeat("k", 129))
		p.message("x", `{"n":1}`)
		p.message("x", `{"n":2}`)
		p.silent()
	})
}

func TestBadPublications(t *testing.T) {
	o := longwire.Options{Open: true, MaxMessage: 100}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		text := func(n int) string { return strings.Repeat("x", n) }
		p.refused(wire.CodeTooLarge, `{"op":"publish","channel":"x","data":"%s"}`, text(99))
		p.refused(wire.CodeTooLarge, `{"op":"publish","channel":"x","type":"text","data":"%s"}`, text(101))
		p.refused(wire.CodeTooLarge, `{"op":"publish","channel":"x","data64":"%s"}`, strings.Repeat("AAAA", 34))
		for _, bad := range []string{
			``, `,"data":1,"data64":"AA=="`, `,"data64":"A"`, `,"data64":7`, `,"type":"text","data":1`, `,"type":7,"data":1`,
			`,"type":"image/png","data":"x"`, `,"type":"json","data64":"AA=="`, `,"type":"no type","data64":"AA=="`, `,"data":1,"data":2`,
		} {
			f := p.ask(`{"op":"publish","channel":"x"%s}`, bad)
			if f.Op != "error" || f.Code != "bad_frame" && f.Code != "bad_request" {
				t.Errorf("%s was answered %v", bad, f)
			}
		}
		r.publish("x", text(100))
		p.message("x", `"`+text(100)+`"`)
		p.silent()
	})
}

// TestNotOpen is a node whose program has no hooks.
func TestNotOpen(t *testing.T) {
	everyWay(t, longwire.Options{}, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.refused(wire.CodeForbidden, `{"op":"publish","channel":"x","data":1}`)
		for _, name := range []string{"@bob", "*", ">", "@bob.x", "*.x"} {
			p.refused(wire.CodeForbidden, `{"op":"subscribe","channel":%q}`, name)
			p.refused(wire.CodeForbidden, `{"op":"history","channel":%q}`, name)
		}
		p.reply(`{"op":"subscribe","channel":"x.>"}`)
		r.publish("x.@bob", "1")
		p.message("x.@bob", `"1"`)
		p.reply(`{"op":"history","channel":"x.*"}`)
	})
}

func TestPublishHook(t *testing.T) {
	var asked atomic.Int32
	o := longwire.Options{Open: true, Handler: longwire.Handler{Publish: func(ctx context.Context, s *longwire.Session, p *longwire.Publication) error {
		asked.Add(1)
		switch p.Channel {
		case "slow":
			time.Sleep(2 * time.Second)
		case "no":
			return wire.Errorf(wire.CodeForbidden, "not here")
		case "foreign":
			return errors.New("secret text")
		case "panic":
			panic("secret text")
		case "changed":
			p.Channel, p.Kind, p.Data = "slow", longwire.Text, []byte("changed for "+s.ID())
			p.Headers = map[string]string{"by": "hook"}
		case "spoilt":
			p.Channel = "a..b"
		}
		return nil
	}}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p, q := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		q.reply(`{"op":"subscribe","channel":"slow"}`)
		for i, f := range []string{`"channel":"slow","data":1`, `"channel":"changed","data":2`, `"channel":"slow","data":3`} {
			p.say(`{"op":"publish","id":%d,%s}`, 51+i, f)
		}
		p.say(`{"op":"ping","id":54}`)
		var order []uint64
		for range 4 {
			order = append(order, p.next().ID)
		}
		if order[0] != 51 {
			p.fatal("answered in the order %v", order)
		}
		q.message("slow", "1")
		if m := q.message("slow", `"changed for `+p.session+`"`); m.Type != "text" || m.Headers["by"] != "hook" {
			t.Errorf("heard %v", m)
		}
		q.message("slow", "3")
		p.isRefusal(p.ask(`{"op":"publish","channel":"no","data":1}`), wire.CodeForbidden)
		if f := p.ask(`{"op":"publish","channel":"foreign","data":1}`); f.Code != "forbidden" || strings.Contains(f.raw, "secret") {
			t.Errorf("heard %v", f)
		}
		p.refused(wire.CodeHandlerPanic, `{"op":"publish","channel":"panic","data":1}`)
		p.refused(wire.CodeBadChannel, `{"op":"publish","channel":"spoilt","data":1}`)
		n := asked.Load()
		p.refused(wire.CodeBadChannel, `{"op":"publish","channel":"a..b","data":1}`)
		p.refused(wire.CodeBadFrame, `{"op":"publish","channel":"a"}`)
		if asked.Load() != n {
			t.Error("asked about what cannot be")
		}
		p.reply(`{"op":"publish","channel":"slow","data":4}`)
		q.message("slow", "4")
	})
}

func TestSubscribeHook(t *testing.T) {
	o := longwire.Options{Handler: longwire.Handler{Subscribe: func(ctx context.Context, s *longwire.Session, channel string) error {
		switch channel {
		case "slow":
			time.Sleep(2 * time.Second)
		case "no":
			return wire.Errorf(wire.CodeForbidden, "not here")
		case "foreign":
			return errors.New("secret text")
		case "panic":
			panic("secret text")
		}
		return nil
	}}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		r.publish("slow", "kept")
		p := r.dial(w, ways.Options{})
		p.say(`{"op":"subscribe","id":51,"channel":"slow","since":"all"}`)
		p.say(`{"op":"subscribe","id":52,"channel":"slow"}`)
		p.say(`{"op":"unsubscribe","id":53,"channel":"slow"}`)
		p.say(`{"op":"subscribe","id":54,"channel":">"}`)
		p.say(`{"op":"dance","id":55}`)
		var heard []string
		for range 6 {
			f := p.next()
			heard = append(heard, strings.TrimSpace(f.Op+" "+f.Code))
			if f.Op == "message" {
				continue
			}
			if want := uint64(51 + len(heard) - 1); len(heard) == 1 && f.ID != want {
				p.fatal("heard %v, want the answer to %d", f, want)
			}
		}
		if got := strings.Join(heard, ", "); got != "reply, message, error already_subscribed, reply, reply, error unknown_op" {
			p.fatal("heard %s", got)
		}
		p.isRefusal(p.ask(`{"op":"subscribe","channel":"no"}`), wire.CodeForbidden)
		p.isRefusal(p.ask(`{"op":"history","channel":"no"}`), wire.CodeForbidden)
		if f := p.ask(`{"op":"subscribe","channel":"foreign"}`); f.Code != "forbidden" || strings.Contains(f.raw, "secret") {
			t.Errorf("heard %v", f)
		}
		p.refused(wire.CodeHandlerPanic, `{"op":"subscribe","channel":"panic"}`)
		p.refused(wire.CodeHandlerPanic, `{"op":"history","channel":"panic"}`)
		r.publish("x", "still here")
		p.message("x", `"still here"`)
	})
}
