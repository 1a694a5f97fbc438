package longwire_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
)

// loud publishes numbers to x, from 1 on, until the test is over; their positions
// have the same numbers.
func (r *rig) loud() {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; ; i++ {
			select {
			case <-over:
				return
			case <-time.After(time.Millisecond):
				r.numbers("x", i, i)
			}
		}
	}()
	r.t.Cleanup(func() { close(over); <-done })
	time.Sleep(100 * time.Millisecond)
}

// follows wants messages of x without a hole behind a position.
func (p *peer) follows(at string, n int) string {
	p.t.Helper()
	var from int
	fmt.Sscan(number(at), &from)
	return p.numbers("x", from+1, from+n)
}

// TestSubscribeUnderLoad subscribes while much is published: nothing comes before the
// reply, and what comes after it goes on from its position.
func TestSubscribeUnderLoad(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		r.loud()
		p := r.dial(w, ways.Options{})
		at := ""
		for round := range 4 {
			for _, since := range []string{"now", "last:5", "20ms", "all", at} {
				p.say(`{"op":"subscribe","id":50,"channel":"x","since":%q}`, since)
				f := p.want("reply")
				if f.ID != 50 || f.Gap {
					p.fatal("heard %v", f)
				}
				n := 20
				if since == "all" {
					n = 100 * (round + 1)
				}
				p.follows(f.Position, n)
				p.say(`{"op":"unsubscribe","id":51,"channel":"x"}`)
				for f = p.next(); f.Op == "message"; f = p.next() {
					at = f.Position
				}
				if f.ID != 51 || f.Op != "reply" {
					p.fatal("heard %v", f)
				}
				time.Sleep(10 * time.Millisecond) // nothing comes now, or the next answer is no reply
			}
		}
	})
}

// TestConnectUnderLoad begins with subscriptions: connected comes first, and says where
// they begin.
func TestConnectUnderLoad(t *testing.T) {
	everyWay(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		r.loud()
		for i, since := range []string{"now", "last:5", "20ms", "all", "now"} {
			for range 2 {
				o := ways.Options{Subscribe: wishes(since, "x", "quiet", "x.*")}
				if w.ByToken {
					o = ways.Options{Query: "channel=x&channel=quiet&channel=x.*&since=" + since}
				}
				p, err := r.tryDial(w, o)
				if err != nil {
					t.Fatal(err)
				}
				f := p.connected()
				if len(f.Subscriptions) != 3 || f.Subscriptions[0].Channel != "x" {
					p.fatal("connected: %v", f)
				}
				p.follows(f.Subscriptions[0].Position, 30+50*i)
				p.Cut()
			}
		}
	})
}

// TestResumeUnderLoad resumes where the last message was, by frames that hurry behind
// the connect.
func TestResumeUnderLoad(t *testing.T) {
	everyPair(t, openToAll, func(t *testing.T, r *rig, first, then ways.Way) {
		r.loud()
		p := r.dial(first, ways.Options{})
		at := p.follows(p.reply(`{"op":"subscribe","channel":"x"}`).Position, 20)
		for range 3 {
			p.Cut()
			time.Sleep(30 * time.Millisecond)
			p, _ = p.again(then, at, "x")
			at = p.follows(at, 50)
			p.Cut()
			p, _ = p.again(first, at, "x")
			at = p.follows(at, 10)
		}
	})
}

// TestFramesBehindResume sends frames in the same breath as the connect that resumes a
// session, which may live elsewhere: they are taken up behind it, in order.
func TestFramesBehindResume(t *testing.T) {
	slow := longwire.Options{Open: true, Handler: longwire.Handler{Connect: byToken, Call: answering(t)}}
	for _, o := range []longwire.Options{openToAll, slow} {
		everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
			if w.ByToken {
				return
			}
			for range 8 { // on either loop
				p := r.dial(w, ways.Options{Token: "eve"})
				p.reply(`{"op":"subscribe","channel":"a"}`)
				p.Cut()
				first := fmt.Sprintf(`{"op":"connect","id":1,"token":"eve","session":%q,"secret":%q}`, p.session, p.secret)
				var frames []string
				for i := range 20 {
					frames = append(frames, fmt.Sprintf(`{"op":"subscribe","id":%d,"channel":"b%d"}`, 50+i, i))
				}
				if w.Name != "ws" { // its frames are messages of their own
					first += "\n" + strings.Join(frames, "\n")
				}
				n := r.dial(w, ways.Options{First: first})
				if w.Name == "ws" {
					for _, f := range frames {
						n.say("%s", f)
					}
				}
				if n.connected(); n.session != p.session {
					n.fatal("not resumed")
				}
				for i := range 20 {
					if f := n.want("reply"); f.ID != uint64(50+i) {
						n.fatal("heard %v, want the answer to %d", f, 50+i)
					}
				}
				n.refused("already_subscribed", `{"op":"subscribe","channel":"a"}`)
				n.Cut()
			}
		})
	}
}
