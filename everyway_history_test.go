package longwire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// texts lists the data of a history's publications.
func texts(list []frame) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(strings.Trim(string(p.Data), `"`))
	}
	return b.String()
}

func TestHistory(t *testing.T) {
	secureToo(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		first := r.numbers("x.a", 1, 3)
		time.Sleep(10 * time.Minute)
		r.numbers("x.a", 4, 6)
		last := r.numbers("x.b", 7, 9)
		epoch, _, _ := strings.Cut(string(first), "-")
		p := r.dial(w, ways.Options{})
		for _, tt := range []struct {
			ask, want string
			at        string // the number of the position
			gap       bool
		}{
			{`"channel":"x.a"`, "123456", "9", false},
			{`"channel":"x.a","since":"all"`, "123456", "9", false},
			{`"channel":"x.a","since":"now"`, "", "9", false},
			{`"channel":"x.a","since":"last:2"`, "56", "9", false},
			{`"channel":"x.*","since":"last:2"`, "5689", "9", false},
			{`"channel":"x.*","since":"5m"`, "456789", "9", false},
			{`"channel":"x.*"`, "123456789", "9", false},
			{`"channel":"x.*","limit":4`, "1234", "4", false},
			{`"channel":"x.a","limit":1`, "1", "1", false},
			{`"channel":"x.a","limit":2147483647`, "123456", "9", false},
			{`"channel":"x.a","since":"` + string(first) + `"`, "456", "9", false},
			{`"channel":"x.a","since":"` + string(last) + `"`, "", "9", false},
			{`"channel":"x.a","since":"zz-3-fnmqo0"`, "123456", "9", true},
			{`"channel":"x.a","since":"` + epoch + `-99-fnmqo0"`, "123456", "9", true},
			{`"channel":"nothing"`, "", "9", false},
		} {
			f := p.reply(`{"op":"history",%s}`, tt.ask)
			if texts(f.Publications) != tt.want || number(f.Position) != tt.at || f.Gap != tt.gap || f.Publications == nil {
				t.Errorf("%s was answered %v, want %s and the position %s", tt.ask, f, tt.want, tt.at)
			}
		}
		for ask, code := range map[string]wire.Code{
			`"channel":"a..b"`: wire.CodeBadChannel, `"channel":""`: wire.CodeBadChannel, `"channel":"x","since":"soon"`: wire.CodeBadRequest,
			`"since":"all"`: wire.CodeBadFrame, `"channel":"x","limit":0`: wire.CodeBadFrame, `"channel":"x","limit":-1`: wire.CodeBadFrame,
		} {
			p.refused(code, `{"op":"history",%s}`, ask)
		}
	})
}

// TestHistoryGoesOn pages through more than one answer holds, while more comes.
func TestHistoryGoesOn(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		r.numbers("x", 1, 250)
		r.numbers("other", 1, 20)
		p := r.dial(w, ways.Options{})
		since, n := "all", 0
		for {
			f := p.reply(`{"op":"history","channel":"x","since":%q}`, since)
			if len(f.Publications) > 100 || f.Gap {
				p.fatal("a page of %d", len(f.Publications))
			}
			for _, m := range f.Publications {
				n++
				if want := fmt.Sprintf(`"%d"`, n); string(m.Data) != want || m.Time == "" || m.Type != "text" || m.Channel != "x" {
					p.fatal("number %d is %+v", n, m)
				}
			}
			if len(f.Publications) == 0 {
				break
			}
			if since = f.Position; n == 200 {
				r.numbers("x", 251, 260)
			}
		}
		if n != 260 {
			t.Errorf("paged through %d", n)
		}
	})
}

// TestHistoryAndOrder asks for history between other frames: its reply keeps its place.
func TestHistoryAndOrder(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		for i := 0; i < 12; i += 3 {
			p.say(`{"op":"subscribe","id":%d,"channel":"c%d"}`, 50+i, i)
			p.say(`{"op":"history","id":%d,"channel":"c%d"}`, 51+i, i)
			p.say(`{"op":"unsubscribe","id":%d,"channel":"c%d"}`, 52+i, i)
		}
		for i := range 12 {
			if f := p.want("reply"); f.ID != uint64(50+i) {
				p.fatal("heard %v, want the answer to %d", f, 50+i)
			}
		}
	})
}

func TestPresence(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.refused(wire.CodeNotFound, `{"op":"presence","channel":"x"}`)
		p.refused(wire.CodeBadFrame, `{"op":"presence"}`)
	})
}

func TestRefresh(t *testing.T) {
	o := longwire.Options{Handler: longwire.Handler{Connect: func(_ context.Context, r *longwire.ConnectRequest) (*longwire.Peer, error) {
		switch user, tag, _ := strings.Cut(r.Token, "/"); user {
		case "":
			return nil, errors.New("secret text")
		case "panic":
			panic("secret text")
		default:
			return &longwire.Peer{User: user, Tag: tag}, nil
		}
	}}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{Token: "eve/1"})
		s := r.node.Session(p.session)
		if f := p.reply(`{"op":"refresh","token":"eve/2"}`); f.Channel != "" {
			t.Errorf("heard %v", f)
		}
		if tag := s.Peer().Tag; tag != "2" {
			t.Errorf("the tag is %v", tag)
		}
		p.refused(wire.CodeForbidden, `{"op":"refresh","token":"bob/3"}`)
		p.refused(wire.CodeBadFrame, `{"op":"refresh"}`)
		p.refused(wire.CodeHandlerPanic, `{"op":"refresh","token":"panic"}`)
		if f := p.ask(`{"op":"refresh","token":""}`); f.Code != "forbidden" || strings.Contains(f.raw, "secret") {
			t.Errorf("heard %v", f)
		}
		if who := s.Peer(); who.User != "eve" || who.Tag != "2" {
			t.Errorf("it is %+v", who)
		}
	})
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		r.dial(w, ways.Options{}).reply(`{"op":"refresh","token":"whatever"}`)
	})
}

// TestForgottenByTheProgram has the broker forget behind the node's back: what was
// published just now is not had from the node's memory either.
func TestForgottenByTheProgram(t *testing.T) {
	for _, w := range ways.All() {
		t.Run(w.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := longwire.NewMemory(nil)
				r := newRig(t, longwire.Options{Open: true, Broker: b})
				before := r.publish("a", "forgotten")
				r.publish("a", "forgotten")
				if err := b.(longwire.Forgetter).Forget(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
				r.publish("a", "kept")
				p := r.dial(w, ways.Options{})
				if f := p.reply(`{"op":"subscribe","channel":"a","since":%q}`, before); !f.Gap {
					t.Errorf("heard %v, want a gap", f)
				}
				p.want("gap")
				p.message("a", `"kept"`)
				p.silent()
			})
		})
	}
}
