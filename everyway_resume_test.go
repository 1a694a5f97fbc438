package longwire_test

import (
	"errors"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// TestResume goes from every way to every way: what was published meanwhile
// comes, none missing and none twice.
func TestResume(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		for _, c := range []string{"a", "b.*", "quiet"} {
			p.reply(`{"op":"subscribe","channel":%q}`, c)
		}
		r.numbers("a", 1, 3)
		p.numbers("a", 1, 3)
		r.numbers("b.x", 4, 5)
		at := p.numbers("b.x", 4, 5)
		p.Cut()
		time.Sleep(5 * time.Second)
		r.numbers("a", 6, 6)
		r.numbers("b.y", 7, 8)
		r.numbers("c", 9, 9)
		r.numbers("a", 10, 10)
		n, f := p.again(then, at, "a", "b.*", "quiet")
		if len(f.Subscriptions) != 3 {
			t.Errorf("resumed: %v", f)
		}
		for _, s := range f.Subscriptions {
			if s.Gap || s.Error != nil || number(s.Position) != "5" {
				t.Errorf("resumed: %v", f)
			}
		}
		n.numbers("a", 6, 6)
		n.numbers("b.y", 7, 8)
		n.numbers("a", 10, 10)
		r.numbers("b.x", 11, 12)
		at = n.numbers("b.x", 11, 12)
		n.refused(wire.CodeAlreadySubscribed, `{"op":"subscribe","channel":"quiet"}`)
		n.reply(`{"op":"publish","channel":"quiet","data":1}`)
		if m := n.message("quiet", "1"); m.From != p.session {
			t.Errorf("heard %v", m)
		}
		n.Cut()
		n, _ = n.again(first, at, "a", "b.*", "quiet") // and back
		n.message("quiet", "1")
		n.silent()
	})
}

// TestResumeWithWhatWasNotProcessed cuts with messages on their way: whoever comes
// back with an older position gets them again.
func TestResumeFromBefore(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"a"}`)
		r.numbers("a", 1, 2)
		at := p.numbers("a", 1, 2)
		r.numbers("a", 3, 40)
		p.numbers("a", 3, 20)
		p.Cut()
		n, _ := p.again(then, at, "a")
		n.numbers("a", 3, 40)
		r.numbers("a", 41, 41)
		n.numbers("a", 41, 41)
		n.silent()
	})
}

// TestResumeFromLongAgo comes back to a history that is not all there any more.
func TestResumeFromLongAgo(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"a"}`)
		p.reply(`{"op":"subscribe","channel":"b"}`)
		r.numbers("a", 1, 2)
		at := p.numbers("a", 1, 2)
		p.Cut()
		time.Sleep(time.Second)
		r.numbers("a", 3, 4)
		r.numbers("b", 5, 5)
		if h := r.do("DELETE", "/channels/a/history", ""); h.status != 204 && h.status != 200 {
			t.Fatalf("deleting history: %+v", h)
		}
		r.numbers("a", 6, 6)
		n, f := p.again(then, at, "a", "b")
		for _, s := range f.Subscriptions {
			if s.Gap != (s.Channel == "a") {
				t.Errorf("resumed: %v", f)
			}
		}
		if g := n.want("gap"); g.Channel != "a" || g.After != at || number(g.Position) != "4" {
			t.Errorf("heard %v, left at %s", g, at)
		}
		n.numbers("b", 5, 5)
		n.numbers("a", 6, 6)
		n.silent()
	})
}

// TestResumeWithoutList keeps what was subscribed, from now on, and says so.
func TestResumeWithoutList(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"a"}`)
		r.numbers("a", 1, 1)
		p.numbers("a", 1, 1)
		p.Cut()
		time.Sleep(time.Second)
		r.numbers("a", 2, 2)
		n, err := r.tryDial(then, ways.Options{Resume: &ways.Credentials{Session: p.session, Secret: p.secret}})
		if err != nil {
			t.Fatal(err)
		}
		f := n.connected()
		if f.Session != p.session || len(f.Subscriptions) != 1 || f.Subscriptions[0].Channel != "a" || !f.Subscriptions[0].Gap || number(f.Subscriptions[0].Position) != "2" {
			t.Errorf("resumed: %v", f)
		}
		r.numbers("a", 3, 3)
		n.numbers("a", 3, 3)
		n.silent()
	})
}

// TestListReplaces resumes with another list than was subscribed.
func TestListReplaces(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		if then.ByToken {
			return
		}
		p := r.dial(first, ways.Options{})
		for _, c := range []string{"a", "b", "c"} {
			p.reply(`{"op":"subscribe","channel":%q}`, c)
		}
		p.Cut()
		time.Sleep(time.Second)
		r.numbers("a", 1, 1)
		n, err := r.tryDial(then, ways.Options{
			Resume:    &ways.Credentials{Session: p.session, Secret: p.secret},
			Subscribe: `[{"channel":"b"},{"channel":"c","since":"soon"},{"channel":"d","since":"all"},{"channel":"a*"}]`,
		})
		if err != nil {
			t.Fatal(err)
		}
		f := n.connected()
		if len(f.Subscriptions) != 4 || f.Subscriptions[0].Gap || f.Subscriptions[1].Error == nil || f.Subscriptions[3].Error == nil {
			t.Errorf("resumed: %v", f)
		}
		for _, c := range []string{"a", "b", "c", "d"} {
			r.numbers(c, 2, 2)
		}
		n.numbers("b", 2, 2)
		n.numbers("d", 2, 2)
		n.refused(wire.CodeNotSubscribed, `{"op":"unsubscribe","channel":"c"}`)
		n.silent()
	})
}

// TestWrongCredentials tries to resume what is another's, or nobody's.
func TestWrongCredentials(t *testing.T) {
	everyPair(t, longwire.Options{Handler: longwire.Handler{Connect: byToken}}, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{Token: "eve"})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		const nobody = "AAAAAAAAAAAAAAAAAAAAAA"
		for _, tt := range []struct {
			name                   string
			session, secret, token string
			code                   wire.Code // empty: a session of its own
		}{
			{"wrong secret", p.session, nobody, "eve", wire.CodeForbidden},
			{"no secret", p.session, "", "eve", wire.CodeForbidden},
			{"nonsense for a secret", p.session, "x", "eve", wire.CodeForbidden},
			{"another's secret", p.session, p.secret, "bob", wire.CodeForbidden},
			{"unknown session", nobody, p.secret, "eve", ""},
			{"nonsense for a session", "x/y", "z", "eve", ""},
		} {
			n, err := r.tryDial(then, ways.Options{Token: tt.token, Resume: &ways.Credentials{Session: tt.session, Secret: tt.secret}})
			switch {
			case tt.code == "":
				if err != nil {
					t.Fatal(tt.name, err)
				}
				if f := n.connected(); f.Session == tt.session || f.Session == p.session {
					t.Errorf("%s: %v", tt.name, f)
				}
				n.Cut()
			case then.Name == "poll":
				if e, _ := errors.AsType[*wire.Error](err); e == nil || e.Code != tt.code {
					t.Errorf("%s: %v", tt.name, err)
				}
			case err != nil:
				t.Fatal(tt.name, err)
			default:
				if !then.ByToken {
					n.isRefusal(n.want("error"), tt.code)
				}
				n.ended(tt.code)
			}
		}
		r.publish("x", "still here")
		p.message("x", `"still here"`)
	})
}
