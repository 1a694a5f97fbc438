package longwire_test

import (
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

var open = longwire.Options{Open: true}

func TestPublishAndSubscribe(t *testing.T) {
	everyWay(t, open, func(t *testing.T, r *rig, w ways.Way) {
		a, b := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		at := b.reply(`{"op":"subscribe","channel":"chat.room1"}`)
		if at.Channel != "chat.room1" || at.Position == "" {
			t.Errorf("subscribe was answered %+v", at)
		}
		b.reply(`{"op":"subscribe","channel":"chat.*"}`)
		a.reply(`{"op":"publish","channel":"chat.room1","data":{"a": [1, 2.50]}}`)
		for _, sub := range []string{"", "chat.*"} {
			m := b.want("message")
			if string(m.Data) != `{"a":[1,2.50]}` || m.From != a.session || m.Channel != "chat.room1" {
				t.Errorf("%+v", m)
			}
			if m.Sub != sub && m.Sub != "" && m.Sub != "chat.*" {
				t.Errorf("sub %q", m.Sub)
			}
		}
		b.reply(`{"op":"unsubscribe","channel":"chat.room1"}`)
		a.reply(`{"op":"publish","channel":"chat.room1","type":"text","data":"h\u00e4llo"}`)
		if m := b.message("chat.room1", `"hällo"`); m.Type != "text" || m.Sub != "chat.*" {
			t.Errorf("%+v", m)
		}
		a.reply(`{"op":"publish","channel":"chat.room1","data64":"AAH/"}`)
		if m := b.want("message"); string(m.Data64) != "\x00\x01\xff" {
			t.Errorf("%+v", m)
		}
		b.silent()
	})
}

func TestRefusals(t *testing.T) {
	everyWay(t, open, func(t *testing.T, r *rig, w ways.Way) {
		other := r.dial(w, ways.Options{})
		other.reply(`{"op":"subscribe","channel":"x"}`)
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.refused(wire.CodeAlreadySubscribed, `{"op":"subscribe","channel":"x"}`)
		p.refused(wire.CodeBadChannel, `{"op":"subscribe","channel":"a..b"}`)
		p.refused(wire.CodeBadChannel, `{"op":"publish","channel":"a.*","data":1}`)
		p.refused(wire.CodeNotSubscribed, `{"op":"unsubscribe","channel":"y"}`)
		p.refused(wire.CodeBadRequest, `{"op":"subscribe","channel":"z","since":"yesterday"}`)
		p.refused(wire.CodeUnknownOp, `{"op":"dance"}`)
		p.refused(wire.CodeNotFound, `{"op":"call","method":"x","data":1}`)
		p.refused(wire.CodeBadFrame, `{"op":"publish","channel":"x"}`)
		r.publish("x", "still here")
		p.message("x", `"still here"`)
		other.message("x", `"still here"`)
	})
}
