package longwire_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/ways"
)

// lastID is what an EventSource would say in Last-Event-ID.
func (p *peer) lastID() string {
	p.t.Helper()
	synctest.Wait()
	return p.Client.(interface{ LastID() string }).LastID()
}

// position returns the part of an id before the slash, and wants the rest to be
// the session's.
func (p *peer) position(id string) string {
	p.t.Helper()
	at, tail, ok := strings.Cut(id, "/")
	if !ok || tail != p.session+"."+p.secret {
		p.fatal("the id is %q, the session %s.%s", id, p.session, p.secret)
	}
	return at
}

// source connects as EventSource does: with an address, and an id when it comes
// back.
func (r *rig) source(query, lastID string) *peer {
	r.t.Helper()
	c, err := ways.Read(r.t, &r.Server, "/connect", query, "text/event-stream", lastID)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.meet(way("sse"), c)
}

// TestStreamBeginsWhereItSays is what the response of a session's stream tells of where it begins, which comes before anything
// that the session catches up with: whoever is cut in between goes on from there and misses nothing.
func TestStreamBeginsWhereItSays(t *testing.T) {
	for _, accept := range []string{"text/event-stream", "application/x-ndjson"} {
		for _, parts := range []int{1, 3} {
			t.Run(fmt.Sprint(accept, " ", parts), func(t *testing.T) {
				o := openToAll
				o.Broker = deep{parts: parts}
				inBubble(t, o, func(t *testing.T, r *rig) {
					at := r.numbers("a", 1, 3)
					r.numbers("a", 4, 9)
					c, err := ways.Read(t, &r.Server, "/connect", "channel=a&since="+string(at), accept, "")
					if err != nil {
						t.Fatal(err)
					}
					begins := c.(interface{ Header() http.Header }).Header().Get("Longwire-Position")
					p := r.meet(way("sse"), c)
					if f := p.connected(); f.Position != begins {
						t.Errorf("connected at %s, and the header said %s", f.Position, begins)
					}
					p.numbers("a", 4, 9)
					p.Cut()
					p = r.read("/channels/a", "since="+begins, accept, "")
					p.numbers("a", 4, 9)
				})
			})
		}
	}
}

func TestEventIDs(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		p := r.source("channel=a", "")
		f := p.connected()
		if at := p.position(p.lastID()); at != f.Position {
			t.Errorf("the id stands at %s, connected at %s", at, f.Position)
		}
		p.reply(`{"op":"subscribe","channel":"b.*"}`)
		r.numbers("other", 1, 5)
		if r.numbers("b.x", 6, 6); p.position(p.lastID()) != p.numbers("b.x", 6, 6) {
			t.Errorf("the id is %s", p.lastID())
		}
		r.numbers("other", 7, 9)
		time.Sleep(16 * time.Second)
		if at := p.position(p.lastID()); number(at) != "9" {
			t.Errorf("the heartbeat's id stands at %s", at)
		}
		p.silent()
	})
}

// TestEventSourceComes back with its address as it was and its last id: that
// wins, and subscriptions made by POST are kept.
func TestEventSourceComesBack(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		r.numbers("a", 1, 2)
		p := r.source("channel=a&since=all", "")
		p.connected()
		p.numbers("a", 1, 2)
		p.reply(`{"op":"subscribe","channel":"b"}`)
		r.numbers("b", 3, 3)
		p.numbers("b", 3, 3)
		for i := 4; i < 40; i += 3 {
			id := p.lastID()
			p.Cut()
			time.Sleep(3 * time.Second)
			r.numbers("a", i, i)
			r.numbers("b", i+1, i+1)
			n := r.source("channel=a&since=all", id)
			if f := n.connected(); f.Session != p.session || len(f.Subscriptions) != 2 || f.Subscriptions[0].Gap {
				n.fatal("resumed: %v", f)
			}
			p = n
			p.numbers("a", i, i)
			p.numbers("b", i+1, i+1)
			r.numbers("b", i+2, i+2)
			p.numbers("b", i+2, i+2)
		}
		p.silent()
	})
}

// TestPositionAsID has an id without a session: a new one begins from there, whatever
// the address says.
func TestPositionAsID(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		at := r.numbers("a", 1, 2)
		r.numbers("a", 3, 4)
		p := r.source("channel=a&since=all", string(at))
		p.connected()
		p.numbers("a", 3, 4)
		p.silent()
	})
}

// TestBadID comes with ids that this server never gives. It is refused, and an
// EventSource, which would never come again after a status like that, is told to come
// without the id.
func TestBadID(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		p := r.dial(way("sse"), ways.Options{})
		session, at := p.session+"."+p.secret, string(r.publish("a", "1"))
		for _, path := range []string{"/connect?channel=a", "/channels/a"} {
			for _, id := range []string{"7", "yesterday", at + "-", "x/" + session, "all/" + session, at + "/", at + "/x", "/", "/x", "." + session} {
				begun := r.node.Subscribers("a")
				a := r.do("GET", path, "", "Last-Event-ID", id)
				if a.status != 400 || !strings.Contains(a.body, `"code":"bad_request"`) || a.header.Get("Retry-After") != "" {
					t.Errorf("%s with %q was answered %+v", path, id, a)
				}
				a = r.do("GET", path, "", "Last-Event-ID", id, "Accept", "text/event-stream")
				if a.status != 200 || !strings.HasPrefix(a.body, "id\nretry: ") || !strings.Contains(a.body, "event: close\ndata: {\"code\":\"bad_request\"") {
					t.Errorf("%s as EventSource with %q was answered %+v", path, id, a)
				}
				if n := r.node.Subscribers("a"); n != begun {
					t.Errorf("%s with %q: %d are subscribed", path, id, n)
				}
			}
		}
		if a := r.do("POST", "/connect", `{"op":"connect"}`, "Last-Event-ID", "7"); a.status != 400 {
			t.Errorf("POST was answered %+v", a)
		}
	})
}

// TestCutBeforeTheFirstEvent comes back with the id of the stream's first block.
func TestCutBeforeTheFirstEvent(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		r.numbers("a", 1, 2)
		p := r.source("channel=a", "")
		p.connected()
		id := p.lastID()
		p.reply(`{"op":"subscribe","channel":"b"}`)
		p.Cut()
		r.numbers("a", 3, 3)
		r.numbers("b", 4, 4)
		n := r.source("channel=a", id)
		if f := n.connected(); f.Session != p.session {
			n.fatal("resumed: %v", f)
		}
		n.numbers("a", 3, 3)
		n.numbers("b", 4, 4)
		n.silent()
	})
}

// TestSubscribedAfterTheID is a subscription from now on whose reply was the last
// that came: what was published before it is not what the client missed.
func TestSubscribedAfterTheID(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		p := r.source("channel=a", "")
		p.connected()
		r.numbers("b", 1, 3)
		p.reply(`{"op":"subscribe","channel":"b"}`)
		id := p.lastID()
		p.Cut()
		r.numbers("b", 4, 4)
		n := r.source("channel=a", id)
		n.connected()
		n.numbers("b", 4, 4)
		n.silent()
	})
}

// TestNoIDWhileCatchingUp adds a subscription from the past to a live one. While it
// catches up no event may stand ahead of it; so a cut in the midst loses nothing.
func TestNoIDWhileCatchingUp(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		const old = 900 // more than a page, and than what a link queues
		text := strings.Repeat("x", 400)
		for range old {
			r.publish("b", text)
		}
		p := r.source("channel=a", "")
		p.connected()
		p.hold()
		if err := p.Send(`{"op":"subscribe","id":7,"channel":"b","since":"all"}`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		r.numbers("a", 1, 5)
		p.free()
		had := map[string]bool{} // positions of messages
		for len(had) < old/2 {
			if f := p.next(); f.Op == "message" {
				had[f.Position] = true
			}
		}
		p.hold()
		id := p.lastID()
		for len(p.hears) > 0 { // what came before it stopped reading
			had[p.next().Position] = true
		}
		p.Cut()
		n := r.source("channel=a", id)
		n.connected()
		r.numbers("a", 9, 9)
		for f := n.want("message"); string(f.Data) != `"9"`; f = n.want("message") {
			had[f.Position] = true
		}
		if len(had) != old+5 {
			n.fatal("had %d messages by both links, want %d", len(had), old+5)
		}
	})
}

// TestEveryCopy is subscribed three times over to what is published, and cut behind
// every single event: what it had not seen comes, and twice only what had not come
// for all of its subscriptions.
func TestEveryCopy(t *testing.T) {
	for cut := range 10 {
		inBubble(t, openToAll, func(t *testing.T, r *rig) {
			const query = "channel=x.y&channel=x.*&channel=>"
			c, err := ways.Read(t, &r.Server, "/connect", query, "text/event-stream", "")
			if err != nil {
				t.Fatal(err)
			}
			had := map[string]int{}
			next := func() string {
				s, err := c.Receive()
				var f frame
				if err == nil {
					err = json.Unmarshal([]byte(s), &f)
				}
				if err != nil {
					t.Fatal(err)
				}
				if f.Op != "message" {
					return f.Op
				}
				had[string(f.Data)+f.Sub]++
				return f.Op
			}
			next()
			r.numbers("x.y", 1, 3)
			for range cut {
				next()
			}
			id := c.(interface{ LastID() string }).LastID()
			c.Cut()
			if c, err = ways.Read(t, &r.Server, "/connect", query, "text/event-stream", id); err != nil {
				t.Fatal(err)
			}
			for next() != "ping" {
			}
			twice := 0
			for _, n := range had {
				twice += n - 1
			}
			if len(had) != 9 || twice != cut%3 {
				t.Errorf("cut behind event %d it had %v", cut, had)
			}
		})
	}
}
