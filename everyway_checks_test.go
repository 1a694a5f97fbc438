package longwire_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// strict has hooks that say what a node without hooks says.
var strict = longwire.Handler{
	Subscribe: func(_ context.Context, _ *longwire.Session, channel string) error {
		if strings.HasPrefix(channel, "@") {
			return &wire.Error{Code: wire.CodeForbidden}
		}
		return nil
	},
	Publish: func(context.Context, *longwire.Session, *longwire.Publication) error {
		return &wire.Error{Code: wire.CodeForbidden}
	},
	Call: func(_ *longwire.Session, c *longwire.Call) { c.Fail(&wire.Error{Code: wire.CodeNotFound}) },
	Send: func(*longwire.Session, string, longwire.Kind, []byte) {},
}

// TestSameChecks sends frames in which more than one thing is wrong: what is told of
// them does not depend on whether there are hooks.
func TestSameChecks(t *testing.T) {
	big := strings.Repeat("x", 101)
	for _, hooks := range []longwire.Handler{{}, strict} {
		everyWay(t, longwire.Options{MaxMessage: 100, Handler: hooks}, func(t *testing.T, r *rig, w ways.Way) {
			p := r.dial(w, ways.Options{})
			if err := r.node.Session(p.session).Subscribe("@bob"); err != nil {
				t.Fatal(err)
			}
			p.want("reply")
			for _, tt := range []struct {
				frame string
				want  wire.Code
			}{
				{`"op":"call","method":"x","type":"text","data":"` + big + `"`, wire.CodeTooLarge},
				{`"op":"call","method":"x","data":"` + big + `"`, wire.CodeTooLarge},
				{`"op":"call","method":"x","data64":"` + strings.Repeat("AAAA", 34) + `"`, wire.CodeTooLarge},
				{`"op":"call","method":"x","data64":"A"`, wire.CodeBadFrame},
				{`"op":"call","method":"x","type":"text","data":"` + big[1:] + `"`, wire.CodeNotFound},
				{`"op":"send","method":"x","type":"text","data":"` + big + `"`, wire.CodeTooLarge},
				{`"op":"send","method":"x","data64":"A"`, wire.CodeBadFrame},
				{`"op":"publish","channel":"x","type":"text","data":"` + big + `"`, wire.CodeTooLarge},
				{`"op":"publish","channel":"x","data":1,"headers":{"a":1}`, wire.CodeBadFrame},
				{`"op":"publish","channel":"a..b","type":"text","data":"` + big + `"`, wire.CodeBadChannel},
				{`"op":"publish","channel":"x","data":1`, wire.CodeForbidden},
				{`"op":"subscribe","channel":"a..b","since":"soon"`, wire.CodeBadRequest},
				{`"op":"subscribe","channel":"a..b"`, wire.CodeBadChannel},
				{`"op":"subscribe","channel":"@bob"`, wire.CodeForbidden},
				{`"op":"history","channel":"a..b","since":"soon"`, wire.CodeBadRequest},
				{`"op":"history","channel":"a..b"`, wire.CodeBadChannel},
				{`"op":"history","channel":"@bob"`, wire.CodeForbidden},
			} {
				if f := p.ask(`{%s}`, tt.frame); f.Op != "error" || f.Code != string(tt.want) {
					t.Errorf("%.80s: heard %v, want %s", tt.frame, f, tt.want)
				}
			}
			p.say(`{"op":"send","method":"x","id":50,"type":"text","data":%q}`, big[1:])
			p.reply(`{"op":"subscribe","channel":"x"}`)
			p.refused(wire.CodeAlreadySubscribed, `{"op":"subscribe","channel":"x"}`)
		})
	}
}

// TestRefusalsKeepOrder refuses calls and sends while publications wait for the broker.
func TestRefusalsKeepOrder(t *testing.T) {
	late := func(time.Duration) time.Duration { return time.Second }
	never := func() bool { return false }
	frames := []string{
		`"op":"publish","channel":"x","data":1`, `"op":"call","method":"x","data64":"A"`, `"op":"send","method":"x","data64":"A"`,
		`"op":"publish","channel":"x","data":2`, `"op":"publish","channel":"x..y","data":2`, `"op":"ping"`,
		`"op":"send","method":"x","data64":"A"`, `"op":"publish","channel":"x","data":3`,
	}
	for _, hooks := range []longwire.Handler{{}, {Call: strict.Call, Send: strict.Send}} {
		for _, w := range ways.All() {
			t.Run(w.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newRig(t, longwire.Options{Open: true, Handler: hooks, Broker: newModelBroker(nil, late, never)}).dial(w, ways.Options{})
					for i, f := range frames {
						p.say(`{"id":%d,%s}`, 100+i, f)
					}
					for i := range frames {
						if f := p.next(); f.ID != uint64(100+i) {
							p.fatal("heard %v, want the answer to %d", f, 100+i)
						}
					}
				})
			})
		}
	}
}
