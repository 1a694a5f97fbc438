package ws

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

// A talker is an acceptor of one link, and its receiver: one that says where it
// stands when its peer is pinged, and moves when a message says so.
type talker struct {
	link  *link
	last  string // what the heartbeat says; "close" closes
	ended closings
}

func (r *talker) Accept(_ time.Time, l longwire.Link) (longwire.Receiver, error) {
	r.link = l.(*link)
	return r, nil
}

func (r *talker) Receive(_ time.Time, _ longwire.Kind, p []byte) {
	r.last = string(p)
	if r.last == "move" {
		loops := r.link.h.Engine.Loops().Loops()
		r.link.Move(loops[1-r.link.Loop().Index()], func(time.Time) {})
	}
}

func (r *talker) Heartbeat(time.Time) bool {
	if r.last == "close" {
		r.link.Close(longwire.Close{Code: wire.CodeDraining})
		return true
	}
	r.link.Send(longwire.NewMessage(longwire.Text, []byte("still at "+r.last)))
	return true
}

func (r *talker) Drained(time.Time)             {}
func (r *talker) Closed(_ time.Time, err error) { r.ended.hook(nil, err) }

// A receiver that has something to say says it beside the ping, in one write.
func TestHeart(t *testing.T) {
	r := &talker{ended: make(closings, 1)}
	virtual(t, &Handler{Acceptor: r}, func(t *testing.T, dial func() *client) {
		c := dial()
		c.send(frame.Text, "one")
		clk := newClock()
		for range 3 {
			c.want(`ping ""`)
			if len(c.p) == 0 {
				t.Error("the ping came alone")
			}
			c.want(`text "still at one"`)
			clk.within(t, wire.PingAfter, late)
			c.send(frame.Pong, "")
		}
		c.send(frame.Text, "close")
		c.want(`ping ""`)
		c.wantClose(wire.CodeDraining.CloseCode())
		if got := r.ended.next(t); got.Code != wire.CodeDraining {
			t.Errorf("ended with %v", got)
		}
	})
}

// The heartbeat goes on where a link moves to, and a ping that came with the
// message that moves it is answered.
func TestMoveGoesOn(t *testing.T) {
	r := &talker{ended: make(closings, 1)}
	virtualLoops(t, 2, &Handler{Acceptor: r}, func(t *testing.T, dial func() *client) {
		c := dial()
		synctest.Wait()
		before := r.link.Loop()
		time.Sleep(20 * time.Second)
		c.write(append(append(masked(frame.Ping, "p"), masked(frame.Text, "move")...), masked(frame.Ping, "q")...))
		c.want(`pong "p"`, `pong "q"`)
		synctest.Wait()
		if r.link.Loop() == before {
			t.Error("it did not move")
		}
		clk := newClock()
		c.want(`ping ""`, `text "still at move"`)
		clk.within(t, wire.PingAfter, late)
		c.wantClose(wire.CodeIdleTimeout.CloseCode())
		clk.within(t, wire.DeadAfter-wire.PingAfter-late, 2*late)
	})
}
