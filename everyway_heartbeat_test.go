package longwire_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// ping wants a ping after about so long, and nothing before it.
func (p *peer) ping(after time.Duration) frame {
	p.t.Helper()
	begun := time.Now()
	f, ok := p.any(time.After(5 * time.Minute))
	if !ok || f.Op != "ping" {
		p.fatal("heard %v after %v, want a ping: %v", f, time.Since(begun), p.whyNot())
	}
	if d := time.Since(begun); d < after-time.Second/2 || d > after+time.Second/2 {
		p.fatal("a ping after %v, want %v", d, after)
	}
	return f
}

// TestHeartbeat is what an idle session hears: that the server is there, and where
// the session stands, whatever was published to others meanwhile.
func TestHeartbeat(t *testing.T) {
	secureToo(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		synctest.Wait() // a poll waits
		every := 25 * time.Second
		if w.ByToken {
			every = 15 * time.Second
		}
		for _, n := range []string{"5", "10", "15"} {
			r.numbers("other", 1, 5)
			if f := p.ping(every); number(f.Position) != n {
				p.fatal("heard %v, want number %s", f, n)
			}
		}
		if c, ok := p.Client.(interface{ Pings() int }); ok && c.Pings() != 3 {
			t.Errorf("%d control pings", c.Pings())
		}
		at := p.ping(every).Position
		p.Cut()
		r.numbers("x", 1, 1)
		n, _ := p.again(w, at, "x")
		n.numbers("x", 1, 1)
		n.silent()
	})
}

// TestHeartbeatWhileCatchingUp is what a session hears whose subscriptions come back from different places, and whose
// history takes its time: that the server is there, but no position. One for all would take back the subscription that
// is ahead, and whoever is cut then would get twice what it had.
func TestHeartbeatWhileCatchingUp(t *testing.T) {
	o := openToAll
	longwire.Bound(&o, longwire.Bounds{Recent: 1})
	for _, w := range ways.All() {
		if w.Name == "sse" {
			continue // its ids are everybody's
		}
		t.Run(w.Name, func(t *testing.T) {
			gated(t, o, nil, func(t *testing.T, r *rig, b *gatedBroker) {
				early, late := r.numbers("a", 1, 3), r.numbers("b", 1, 7)
				r.numbers("a", 4, 9)
				r.numbers("b", 8, 9)
				open := b.shut(2) // what tells both places
				d := ways.Options{Subscribe: fmt.Sprintf(`[{"channel":"a","since":%q},{"channel":"b","since":%q}]`, early, late)}
				want := map[string]int{"a": 6, "b": 2}
				if w.ByToken {
					d, want = ways.Options{Query: "since=1h&channel=a&channel=b"}, map[string]int{"a": 9, "b": 9}
				}
				p := r.dial(w, d)
				heartbeat := func() frame {
					f, ok := p.any(time.After(time.Minute))
					if !ok || f.Op != "ping" {
						p.fatal("heard %v, want a ping: %v", f, p.whyNot())
					}
					return f
				}
				for range 2 {
					if f := heartbeat(); f.Position != "" {
						p.fatal("heard %v while something catches up", f)
					}
				}
				open()
				got := map[string]int{}
				for range want["a"] + want["b"] {
					got[p.want("message").Channel]++
				}
				if !maps.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				if f := heartbeat(); number(f.Position) != "18" {
					p.fatal("heard %v when all are live", f)
				}
			})
		})
	}
}

// TestMute is a peer that hears and does not answer.
func TestMute(t *testing.T) {
	beginners(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{Mute: true})
		begun := time.Now()
		p.ping(25 * time.Second)
		p.ended(wire.CodeIdleTimeout)
		if d := time.Since(begun); d < 35*time.Second || d > 36*time.Second {
			t.Errorf("ended after %v", d)
		}
	})
}

// TestByHand is somebody with nc, or a WebSocket client that knows nothing of
// sessions: neither is asked for anything that it does not do by itself.
func TestByHand(t *testing.T) {
	beginners(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{Silent: true, Mute: w.Name == "tcp"})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		end := time.After(5 * time.Minute)
		pings := 0
		for {
			f, ok := p.any(end)
			if !ok {
				break
			}
			if f.Op != "ping" || f.Position != "" {
				p.fatal("heard %v", f)
			}
			pings++
		}
		if want := map[string]int{"tcp": 11, "ws": 0}[w.Name]; pings < want || pings > want+1 {
			t.Errorf("%d pings in five minutes", pings)
		}
		r.publish("x", "1")
		p.message("x", `"1"`)
	})
}

// TestSaysNothing is a connection that is opened and no more.
func TestSaysNothing(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		if w.Name != "tcp" {
			return
		}
		p := r.dial(w, ways.Options{Silent: true})
		begun := time.Now()
		p.ended(wire.CodeHandshakeTimeout)
		if d := time.Since(begun); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("ended after %v", d)
		}
	})
}

// TestClientPings asks the server whether it is there.
func TestClientPings(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		if f := p.ask(`{"op":"ping"}`); f.Op != "pong" {
			p.fatal("heard %v", f)
		}
		p.say(`{"op":"ping"}`)
		if f := p.want("pong"); f.ID != 0 {
			p.fatal("heard %v", f)
		}
		p.say(`{"op":"pong"}`)
		p.silent()
	})
}

// TestHeldBack is a peer that we do not read for long, because a hook is busy: its
// silence means nothing.
func TestHeldBack(t *testing.T) {
	o := longwire.Options{Open: true, Handler: longwire.Handler{Call: func(_ *longwire.Session, c *longwire.Call) {
		time.Sleep(2 * time.Minute)
		c.Reply(longwire.JSON, []byte("1"))
	}}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.say(`{"op":"call","id":50,"method":"x","data":1}`)
		for i := range 30 {
			p.say(`{"op":"publish","id":%d,"channel":"x","data":%q}`, 51+i, strings.Repeat("x", 100))
		}
		for i := range 31 {
			f, ok := p.any(time.After(3 * time.Minute))
			for ok && f.Op == "ping" {
				f, ok = p.any(time.After(3 * time.Minute))
			}
			if !ok || f.ID != uint64(50+i) {
				p.fatal("heard %v, want the answer to %d: %v", f, 50+i, p.whyNot())
			}
		}
	})
}
