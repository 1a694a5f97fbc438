package longwire_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

var openToAll = longwire.Options{Open: true}

// number returns the number in a position, which no client may look at.
func number(position string) string {
	parts := strings.Split(position, "-")
	if len(parts) != 3 {
		return "none, it is " + position
	}
	return parts[1]
}

func TestConnected(t *testing.T) {
	o := longwire.Options{Open: true, MaxMessage: 1000, MaxSubscriptions: 7, Rate: 50, ResumeWindow: 12 * time.Second}
	secureToo(t, o, func(t *testing.T, r *rig, w ways.Way) {
		r.numbers("a", 1, 3)
		p, err := r.tryDial(w, ways.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f := p.connected()
		want := map[string]int{"message": 1000, "frame": wire.MaxFrame(1000), "subscriptions": 7, "rate": 50, "keyWindow": 120_000, "resumeWindow": 12_000}
		for name, n := range want {
			if f.Limits[name] != n {
				t.Errorf("limits.%s is %d, want %d: %v", name, f.Limits[name], n, f)
			}
		}
		id, ping := uint64(1), 25_000
		if w.ByToken { // a stream
			id, ping = 0, 15_000
		}
		if f.ID != id || f.Ping != ping || f.Version != 1 || f.Subscriptions == nil || len(f.Subscriptions) > 0 {
			t.Errorf("connected: %v", f)
		}
		if number(f.Position) != "3" {
			t.Errorf("stands at %s after three publications", f.Position)
		}
		s := r.node.Session(p.session)
		if s == nil || s.ID() != p.session {
			t.Errorf("the node knows %v as %s", s, p.session)
		}
		p.silent()
	})
}

func TestConnectTwice(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.refused(wire.CodeBadRequest, `{"op":"connect"}`)
		p.refused(wire.CodeBadRequest, `{"op":"connect","session":%q,"secret":%q}`, p.session, p.secret)
		r.publish("x", "still here")
		p.message("x", `"still here"`)
	})
}

// beginners are the ways whose links may just begin.
func beginners(t *testing.T, o longwire.Options, body func(t *testing.T, r *rig, w ways.Way)) {
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		if w.Name != "tcp" && w.Name != "ws" {
			return
		}
		body(t, r, w)
	})
}

func TestBeginWithoutConnect(t *testing.T) {
	beginners(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{Silent: true})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.refused(wire.CodeBadRequest, `{"op":"connect"}`)
		r.publish("x", "1")
		p.message("x", `"1"`)
		p.reply(`{"op":"publish","channel":"y","data":1}`)
		p.Cut()
		time.Sleep(time.Second)
		q := r.dial(w, ways.Options{})
		q.refused(wire.CodeBadRequest, `{"op":"connect"}`)
	})
}

// TestConnectLate is connect behind a frame that has nothing to do with a session.
func TestConnectLate(t *testing.T) {
	beginners(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{Silent: true})
		p.say(`{"op":"ping","id":9}`)
		if f := p.want("pong"); f.ID != 9 {
			t.Errorf("heard %v", f)
		}
		p.refused(wire.CodeBadRequest, `{"op":"connect"}`)
	})
}

// badConnects are connect frames whose members are no good.
var badConnects = []string{
	`"token":7`, `"session":{}`, `"secret":["x"]`, `"name":"` + strings.Repeat("n", wire.MaxName+1) + `"`, `"version":"1"`,
	`"subscribe":"x"`, `"subscribe":{}`, `"subscribe":[{"channel":5}]`, `"subscribe":[7]`, `"subscribe":[{}]`,
	`"subscribe":[{"channel":"a","channel":"b"}]`, `"subscribe":[],"subscribe":[]`, `"op":"connect"`,
}

// TestIllegibleConnect is a connect frame that is no good: it is refused, and that is the
// end of the link. What follows would be taken up for somebody else.
func TestIllegibleConnect(t *testing.T) {
	published := 0
	for _, hooks := range []longwire.Handler{
		{Publish: func(context.Context, *longwire.Session, *longwire.Publication) error { published++; return nil }},
		{
			Connect: func(context.Context, *longwire.ConnectRequest) (*longwire.Peer, error) { return nil, nil },
			Publish: func(context.Context, *longwire.Session, *longwire.Publication) error { published++; return nil },
		},
	} {
		everyWay(t, longwire.Options{Handler: hooks}, func(t *testing.T, r *rig, w ways.Way) {
			if w.ByToken { // says no connect
				return
			}
			for _, members := range badConnects {
				const behind = "\n" + `{"op":"publish","id":2,"channel":"x","data":1}`
				first := `{"op":"connect","id":1,` + members + `}`
				if w.Name != "ws" {
					first += behind
				}
				p, err := r.tryDial(w, ways.Options{First: first})
				if w.Posts {
					if wire.CodeOf(err) != wire.CodeBadFrame {
						t.Errorf("%s was answered %v", members, err)
					}
					continue
				}
				f := p.want("error")
				if p.isRefusal(f, wire.CodeBadFrame); f.ID != 1 {
					t.Errorf("%s was answered %v", members, f)
				}
				p.ended(wire.CodeBadFrame)
			}
			if published > 0 {
				t.Errorf("%d publications were taken up", published)
			}
			p := r.dial(w, ways.Options{})
			p.refused(wire.CodeBadFrame, `{"op":"connect","token":7}`) // too late to do harm
			p.refused(wire.CodeBadRequest, `{"op":"connect"}`)
		})
	}
}

func TestConnectSubscribes(t *testing.T) {
	everyWay(t, longwire.Options{}, func(t *testing.T, r *rig, w ways.Way) {
		if w.ByToken {
			return
		}
		r.numbers("a", 1, 3)
		r.numbers("b", 1, 2)
		p, err := r.tryDial(w, ways.Options{Subscribe: `[{"channel":"a","since":"last:2"},{"channel":"a..b"},{"channel":"c.*"},{"channel":"a"},{"channel":"@bob"},{"channel":"d","since":"soon"},{"channel":"b","since":"all"}]`})
		if err != nil {
			t.Fatal(err)
		}
		f := p.connected()
		want := []struct{ channel, code string }{
			{"a", ""}, {"a..b", "bad_channel"}, {"c.*", ""},
			{"a", "already_subscribed"}, {"@bob", "forbidden"}, {"d", "bad_request"}, {"b", ""},
		}
		if len(f.Subscriptions) != len(want) {
			t.Fatalf("connected: %v", f)
		}
		for i, want := range want {
			s, code := f.Subscriptions[i], ""
			if s.Error != nil {
				code = s.Error.Code
			}
			if s.Channel != want.channel || code != want.code || (s.Position != "") != (code == "") || s.Gap {
				t.Errorf("subscription %d is %+v, want %+v", i, s, want)
			}
		}
		p.numbers("a", 2, 3)
		p.numbers("b", 1, 2)
		r.publish("c.x", "1")
		if m := p.message("c.x", `"1"`); m.Sub != "c.*" {
			t.Errorf("heard %v", m)
		}
		p.refused(wire.CodeNotSubscribed, `{"op":"unsubscribe","channel":"d"}`)
		p.silent()
	})
}

// TestAddress begins with what the address says: no frame is needed then.
func TestAddress(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		if w.Name == "tcp" || w.Name == "poll" {
			return
		}
		r.numbers("a", 1, 2)
		r.numbers("b.x", 3, 4)
		p, err := r.tryDial(w, ways.Options{Query: "channel=a&channel=b.*&since=all"})
		if err != nil {
			t.Fatal(err)
		}
		f := p.connected()
		if f.ID != 0 || len(f.Subscriptions) != 2 || f.Subscriptions[0].Channel != "a" || f.Subscriptions[1].Channel != "b.*" {
			t.Errorf("connected: %v", f)
		}
		p.numbers("a", 1, 2)
		p.numbers("b.x", 3, 4)
		p.refused(wire.CodeBadRequest, `{"op":"connect"}`)
		p.refused(wire.CodeAlreadySubscribed, `{"op":"subscribe","channel":"a"}`)
		r.numbers("a", 5, 5)
		p.numbers("a", 5, 5)
		for query, code := range map[string]wire.Code{
			"channel=a..b": wire.CodeBadChannel, "channel=a&channel=a": wire.CodeAlreadySubscribed,
			"channel=a&since=soon": wire.CodeBadRequest, "since=last:0": wire.CodeBadRequest, "channel=%zz": wire.CodeBadRequest,
		} {
			if _, err := r.tryDial(w, ways.Options{Query: query}); wire.CodeOf(err) != code {
				t.Errorf("?%s was answered %v, want %s", query, err, code)
			}
		}
	})
}
