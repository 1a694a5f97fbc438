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

// noticed is when a cut is noticed at the latest: at once, but one that is polled is
// given a minute for its next poll.
func noticed(w ways.Way) time.Duration {
	if strings.HasPrefix(w.Name, "poll") {
		return time.Minute + time.Second
	}
	return time.Second
}

// subscribers returns how many sessions are subscribed to a channel.
func (r *rig) subscribers(channel string) string {
	r.t.Helper()
	a := r.do("POST", "/channels/"+channel, `"counting"`, "Content-Type", "application/json")
	_, n, ok := strings.Cut(strings.TrimSpace(a.body), `"subscribers":`)
	if a.status != 200 || !ok {
		r.t.Fatalf("publishing was answered %+v", a)
	}
	return strings.TrimSuffix(n, "}")
}

func TestResumeWindowPasses(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	secureToo(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		time.Sleep(2 * time.Second)
		p.Cut()
		time.Sleep(noticed(w) + 28*time.Second)
		if l := left.of(p.session); len(l) != 0 {
			t.Fatalf("Disconnect heard %+v too early", l[0])
		}
		if n := r.subscribers("x"); n != "1" {
			t.Errorf("%s subscribers while the peer may come back", n)
		}
		time.Sleep(3 * time.Second)
		l := left.of(p.session)
		if len(l) != 1 || l[0].Peer == nil || l[0].Reason == nil {
			t.Fatalf("Disconnect heard %+v", l)
		}
		if code := l[0].Reason.Code; code != wire.CodeLost && !(w.Posts && code == wire.CodeNormal) {
			t.Errorf("the reason is %v", l[0].Reason)
		}
		if d := l[0].Lived; d < 32*time.Second || d > noticed(w)+33*time.Second {
			t.Errorf("it lived %v", d)
		}
		if n := r.subscribers("x"); n != "0" {
			t.Errorf("%s subscribers after the end", n)
		}
		if r.node.Session(p.session) != nil {
			t.Error("the session is still known")
		}
		n, err := r.tryDial(w, ways.Options{Resume: &ways.Credentials{Session: p.session, Secret: p.secret}})
		if err != nil {
			t.Fatal(err)
		}
		if f := n.connected(); f.Session == p.session {
			t.Errorf("a session that has ended was resumed: %v", f)
		}
		time.Sleep(5 * time.Minute)
		if l := left.of(p.session); len(l) != 1 {
			t.Errorf("Disconnect heard %d times", len(l))
		}
	})
}

// TestResumeWithinWindow comes back again and again, each time just in time.
func TestResumeWithinWindow(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	everyPair(t, o, func(t *testing.T, r *rig, first, then ways.Way) {
		p := r.dial(first, ways.Options{})
		at := p.reply(`{"op":"subscribe","channel":"x"}`).Position
		for i, w := range []ways.Way{then, first, then} {
			p.Cut()
			time.Sleep(28 * time.Second)
			p, _ = p.again(w, at, "x")
			time.Sleep(5 * time.Second) // beyond the window of the first cut
			r.numbers("x", i, i)
			at = p.numbers("x", i, i)
		}
		if l := left.of(p.session); len(l) != 0 {
			t.Errorf("Disconnect heard %+v", l[0])
		}
		if s := r.node.Session(p.session); s == nil {
			t.Error("the session is not known")
		}
	})
}

// TestGoodbye is a WebSocket's Close frame: the end of the session, at once.
func TestGoodbye(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		if w.Name != "ws" {
			return
		}
		p := r.dial(w, ways.Options{})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		if err := p.Client.(interface{ Bye() error }).Bye(); err != nil {
			t.Fatal(err)
		}
		p.ended(wire.CodeNormal)
		time.Sleep(2 * time.Second) // the connection is given a second to end
		if l := left.of(p.session); len(l) != 1 || l[0].Reason == nil || l[0].Reason.Code != wire.CodeNormal || !l[0].Reason.Remote {
			t.Errorf("Disconnect heard %+v", l)
		}
		if n := r.subscribers("x"); n != "0" {
			t.Errorf("%s subscribers after the goodbye", n)
		}
	})
}

// TestNoWindow ends sessions with their links.
func TestNoWindow(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, ResumeWindow: -1, Handler: longwire.Handler{Disconnect: left.hook}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p, err := r.tryDial(w, ways.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if f := p.connected(); f.Limits["resumeWindow"] != 0 {
			t.Errorf("connected: %v", f)
		}
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.Cut()
		time.Sleep(noticed(w))
		if l := left.of(p.session); len(l) != 1 {
			t.Errorf("Disconnect heard %+v", l)
		}
		n, err := r.tryDial(w, ways.Options{Resume: &ways.Credentials{Session: p.session, Secret: p.secret}})
		if err != nil {
			t.Fatal(err)
		}
		if f := n.connected(); f.Session == p.session {
			t.Errorf("resumed: %v", f)
		}
	})
}

// TestBeginnersCannotComeBack is a link that never said connect: nobody told it a
// secret, so its session ends with it.
func TestBeginnersCannotComeBack(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	beginners(t, o, func(t *testing.T, r *rig, w ways.Way) {
		before := len(left.all())
		p := r.dial(w, ways.Options{Silent: true})
		p.reply(`{"op":"subscribe","channel":"x"}`)
		p.Cut()
		time.Sleep(time.Second)
		if n := len(left.all()) - before; n != 1 {
			t.Errorf("Disconnect heard %d times", n)
		}
		if n := r.subscribers("x"); n != "0" {
			t.Errorf("%s subscribers after the end", n)
		}
	})
}

// TestDisconnectPanics has the hook panic: nothing else is harmed.
func TestDisconnectPanics(t *testing.T) {
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: func(context.Context, *longwire.DisconnectEvent) { panic("secret") }}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		p, q := r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		q.reply(`{"op":"subscribe","channel":"x"}`)
		if err := r.node.Session(p.session).Close(longwire.Close{}); err != nil {
			t.Fatal(err)
		}
		p.ended(wire.CodeNormal)
		r.publish("x", "1")
		q.message("x", `"1"`)
	})
}
