package longwire_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
	"github.com/longwire/longwire/wire"
)

// drains begins to drain, and returns what will be told of it.
func (r *rig) drains(within time.Duration) <-chan error {
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), within)
	go func() {
		defer cancel()
		done <- r.node.Drain(ctx)
	}()
	return done
}

// sentAway wants the end of a link to a node that drains.
func (p *peer) sentAway() {
	p.t.Helper()
	e := p.ended(wire.CodeDraining)
	if tells := !strings.HasSuffix(p.way.Name, "ws") && !strings.HasSuffix(p.way.Name, "ws+tls"); tells != (e.Retry != 0) || tells && (e.Retry < time.Second/2 || e.Retry > 5*time.Second) {
		p.fatal("come back in %v", e.Retry)
	}
}

func TestDrain(t *testing.T) {
	var left leaving
	o := longwire.Options{Open: true, Handler: longwire.Handler{Disconnect: left.hook}}
	secureToo(t, o, func(t *testing.T, r *rig, w ways.Way) {
		reads, between, gone := r.dial(w, ways.Options{}), r.dial(w, ways.Options{}), r.dial(w, ways.Options{})
		for _, p := range []*peer{reads, between, gone} {
			p.reply(`{"op":"subscribe","channel":"x"}`)
		}
		between.hold()
		time.Sleep(30 * time.Second)
		gone.Cut()
		synctest.Wait()
		r.publish("x", "last words")
		if err := <-r.drains(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		reads.message("x", `"last words"`)
		reads.sentAway()
		between.free()
		between.message("x", `"last words"`)
		between.sentAway()
		for _, p := range []*peer{reads, between, gone} {
			if l := left.of(p.session); len(l) != 1 || l[0].Reason == nil || l[0].Reason.Code != wire.CodeDraining {
				t.Errorf("Disconnect heard %+v", l)
			}
		}
		r.refusesAll(w)
	})
}

// refusesAll wants nobody new to be taken, and nothing published.
func (r *rig) refusesAll(w ways.Way) {
	r.t.Helper()
	p, err := r.tryDial(w, ways.Options{})
	if e, ok := errors.AsType[*wire.Error](err); ok {
		if e.Code != wire.CodeDraining || !strings.Contains(e.Message, "503") {
			r.t.Errorf("a new link was answered %v", err)
		}
	} else if err != nil {
		r.t.Error(err)
	} else {
		p.sentAway()
	}
	_, err = r.node.Publish(r.t.Context(), "x", []byte("1"), &longwire.PublishOptions{Kind: longwire.Text})
	if wire.CodeOf(err) != wire.CodeDraining {
		r.t.Errorf("publishing was answered %v", err)
	}
	a := r.do("POST", "/channels/x", "1")
	if a.status != 503 || !strings.Contains(a.body, `"draining"`) || a.header.Get("Retry-After") == "" {
		r.t.Errorf("publishing was answered %+v", a)
	}
}

func TestDrainReaders(t *testing.T) {
	everyReading(t, openToAll, func(t *testing.T, r *rig, w ways.Reading) {
		p := r.reads(w, "x", "", "")
		synctest.Wait()
		r.publish("x", "last words")
		p.message("x", `"last words"`)
		synctest.Wait()
		if err := <-r.drains(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		p.ended(wire.CodeDraining)
	})
}

// TestDrainTakesItsTime spreads the ends of many over the time that there is.
func TestDrainTakesItsTime(t *testing.T) {
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		const many = 200
		for range many {
			r.dial(way("tcp"), ways.Options{})
		}
		begun := time.Now()
		if err := <-r.drains(time.Minute); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d < many*time.Millisecond || d > 2*many*2*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
	inBubble(t, openToAll, func(t *testing.T, r *rig) {
		for range 200 {
			r.dial(way("ws"), ways.Options{})
		}
		if err := <-r.drains(50 * time.Millisecond); err != nil {
			t.Errorf("with little time: %v", err)
		}
	})
}

// TestDrainWhileAsked drains while a hook thinks about who has come, and while
// somebody has connected and not spoken yet.
func TestDrainWhileAsked(t *testing.T) {
	o := longwire.Options{Open: true, Handler: longwire.Handler{Connect: func(context.Context, *longwire.ConnectRequest) (*longwire.Peer, error) {
		time.Sleep(3 * time.Second)
		return nil, nil
	}}}
	everyWay(t, o, func(t *testing.T, r *rig, w ways.Way) {
		time.AfterFunc(time.Second, func() { <-r.drains(10 * time.Second) })
		p, err := r.tryDial(w, ways.Options{})
		if w.Name == "poll" {
			if wire.CodeOf(err) != wire.CodeDraining {
				t.Errorf("answered %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !w.ByToken {
			p.isRefusal(p.want("error"), wire.CodeDraining)
		}
		p.sentAway()
	})
	beginners(t, openToAll, func(t *testing.T, r *rig, w ways.Way) {
		p := r.dial(w, ways.Options{Silent: true})
		time.Sleep(time.Second)
		<-r.drains(10 * time.Second)
		p.say(`{"op":"connect","id":1}`)
		p.isRefusal(p.want("error"), wire.CodeDraining)
		p.sentAway()
	})
}
