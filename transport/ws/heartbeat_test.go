package ws

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/internal/memnet"
	"github.com/longwire/longwire/wire"
)

// late is how late a heartbeat may be: a grain, and a tick of the wheel.
const late = beat.MaxGrain + 20*time.Millisecond

func TestPing(t *testing.T) {
	virtual(t, &Handler{Acceptor: echo(true)}, func(t *testing.T, dial func() *client) {
		c, clk := dial(), newClock()
		for range 100 { // a silent peer that answers is pinged for ever
			c.want(`ping ""`)
			clk.within(t, wire.PingAfter, late)
			c.send(frame.Pong, "")
		}
		time.Sleep(20 * time.Second)
		c.send(frame.Text, "x") // anything is a sign of life
		c.want(`text "x"`)
		clk.within(t, 20*time.Second, 0)
		c.want(`ping ""`)
		clk.within(t, wire.PingAfter, late)
	})
}

func TestDeadPeer(t *testing.T) {
	p := &longwire.Plain{}
	virtual(t, &Handler{Acceptor: p}, func(t *testing.T, dial func() *client) {
		ended := make(closings, 1)
		p.Close = ended.hook
		c, clk := dial(), newClock()
		c.want(`ping ""`)
		clk.within(t, wire.PingAfter, late)
		reason := c.wantClose(wire.CodeIdleTimeout.CloseCode())
		clk.within(t, wire.DeadAfter-wire.PingAfter-late, 2*late)
		if got := ended.next(t); got.Code != wire.CodeIdleTimeout || got.Remote || reason == `""` {
			t.Errorf("Close heard %v, the peer %s", got, reason)
		}
	})
}

// A peer that vanishes says nothing and acknowledges nothing, and does not even close.
func TestVanishedPeer(t *testing.T) {
	p := &longwire.Plain{}
	virtual(t, &Handler{Acceptor: p}, func(t *testing.T, dial func() *client) {
		ended := make(closings, 1)
		p.Close = ended.hook
		c, clk := dial(), newClock()
		c.conn.(*memnet.Conn).Freeze()
		select {
		case got := <-ended:
			if got.Code != wire.CodeIdleTimeout {
				t.Errorf("Close heard %v", got)
			}
		case <-time.After(time.Hour):
			t.Fatal("nobody noticed")
		}
		clk.within(t, wire.DeadAfter, late+wire.FlushTimeout+20*time.Millisecond)
	})
}

func TestHeartbeatSettings(t *testing.T) {
	for _, tt := range []struct {
		name       string
		ping, dead time.Duration
		pings      []time.Duration // between them
		dies       time.Duration   // after the last; zero: not
	}{
		{"more than one ping", time.Second, 3500 * time.Millisecond, []time.Duration{time.Second, time.Second, time.Second}, 500 * time.Millisecond},
		{"no pings", -1, 10 * time.Second, nil, 10 * time.Second},
		{"no death", 5 * time.Second, -1, []time.Duration{5 * time.Second, 5 * time.Second, 5 * time.Second}, 0},
		{"death before the ping", 10 * time.Second, 5 * time.Second, nil, 5 * time.Second},
		{"short", 80 * time.Millisecond, 120 * time.Millisecond, []time.Duration{80 * time.Millisecond}, 40 * time.Millisecond},
		{"off", -1, -1, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &Handler{Acceptor: echo(true), PingAfter: tt.ping, DeadAfter: tt.dead}
			virtual(t, h, func(t *testing.T, dial func() *client) {
				c, clk := dial(), newClock()
				slack := beat.Grain(max(tt.ping, tt.dead)) + 20*time.Millisecond
				for _, d := range tt.pings {
					c.want(`ping ""`)
					clk.within(t, d-slack, 2*slack)
				}
				if tt.dies > 0 {
					c.wantClose(wire.CodeIdleTimeout.CloseCode())
					slack *= time.Duration(len(tt.pings) + 1) // each ping may have been late
					clk.within(t, tt.dies-slack, 2*slack)
					return
				}
				c.conn.SetReadDeadline(time.Now().Add(tt.ping/2 + time.Second))
				if len(tt.pings) == 0 {
					c.conn.SetReadDeadline(time.Now().Add(24 * time.Hour))
				}
				if n, err := c.conn.Read(make([]byte, 9)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("read %d bytes, %v", n, err)
				}
				c.conn.SetReadDeadline(time.Time{})
			})
		})
	}
}

// A peer that we hold back cannot be heard, so it is not dead, however long that takes.
func TestHeldBackPeerIsNotDead(t *testing.T) {
	p := &longwire.Plain{}
	virtual(t, &Handler{Acceptor: p}, func(t *testing.T, dial func() *client) {
		release := make(chan struct{})
		p.Message = func(*longwire.Conn, longwire.Kind, []byte) { <-release }
		c := dial()
		for range 40 {
			c.send(frame.Text, "x") // past 16 the link is paused
		}
		synctest.Wait()
		clk := newClock()
		for range 10 {
			c.want(`ping ""`)
			clk.within(t, wire.PingAfter-late, 2*late)
		}
		close(release)
		clk.at = time.Now()
		c.want(`ping ""`)
		clk.within(t, wire.PingAfter-late, 2*late)
		c.wantClose(wire.CodeIdleTimeout.CloseCode())
		clk.within(t, wire.DeadAfter-wire.PingAfter-late, 2*late)
	})
}

// Pings of many links go out together, so that the loop wakes up a few times per second only.
func TestHeartbeatsShareWakeUps(t *testing.T) {
	virtual(t, &Handler{Acceptor: echo(true)}, func(t *testing.T, dial func() *client) {
		const links = 100
		at := make(chan time.Time, links)
		for range links {
			c := dial()
			go func() {
				c.want(`ping ""`)
				at <- time.Now()
				c.conn.Close()
			}()
			time.Sleep(10 * time.Millisecond)
		}
		moments := map[time.Time]int{}
		for range links {
			moments[<-at]++
		}
		if len(moments) > 6 { // they connected within a second
			t.Errorf("%d moments, want at most 6: %v", len(moments), moments)
		}
	})
}
