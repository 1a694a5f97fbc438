package ws

import (
	"time"

	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/wire"
)

// beats is the heartbeat of a Handler's links.
//
// A peer from which nothing came for ping is pinged; every client answers by
// itself (RFC 6455, section 5.5.2). It is pinged again after every further
// ping of silence. One from which nothing came for dead is taken for gone. Any
// byte counts as a sign of life. While the receiver holds the peer back nothing
// can be heard, so nothing is concluded from silence; but pings go on, because
// they keep the mappings of routers alive.
//
// No ping is sent while something else waits to be sent: that asks the peer's
// side for an answer already, and pings do not pile up for one that does not
// read.
//
// Nothing is done to the timer when something is heard, only its time is
// noted, in milliseconds. When the timer fires, it is armed for what is left. Its
// times are rounded up to a common grain, so that the pings of many links
// share the loop's waking up.
type beats struct {
	ping, dead time.Duration // zero: off
	grain      time.Duration
}

const (
	// maxGrain is the most that a heartbeat comes late. A quarter of a second is
	// nothing beside 25; and 18,000 links with 720 beats per second wake their
	// loops 4 times per second.
	maxGrain = 250 * time.Millisecond
	// grains is how many of them there are at least in the shorter interval.
	grains = 16
)

func newBeats(ping, dead time.Duration) beats {
	b := beats{ping: orDefault(ping, wire.PingAfter), dead: orDefault(dead, wire.DeadAfter)}
	b.grain = max(time.Millisecond, min(maxGrain, b.first()/grains))
	return b
}

func orDefault(d, zero time.Duration) time.Duration {
	if d == 0 {
		return zero
	}
	return max(d, 0)
}

// first is the silence after which there is something to do; zero for never.
func (b *beats) first() time.Duration {
	if b.ping == 0 || b.dead > 0 && b.dead < b.ping {
		return b.dead
	}
	return b.ping
}

// epoch is what times are counted from.
var epoch = time.Now()

// hear notes that the peer lives. The clock of 32 bits goes round every 49
// days, and only differences of it are used.
func (l *link) hear(now time.Time) { l.heard = uint32(now.Sub(epoch).Milliseconds()) }

func (l *link) silence(now time.Time) time.Duration {
	return time.Duration(uint32(now.Sub(epoch).Milliseconds())-l.heard) * time.Millisecond
}

// listen begins the heartbeat.
func (l *link) listen(now time.Time) {
	l.hear(now)
	l.timer.Owner = l
	if d := l.h.beats.first(); d > 0 {
		l.beatIn(now, d)
	}
}

// beatIn arms the timer for the first grain that begins d from now or later.
func (l *link) beatIn(now time.Time, d time.Duration) {
	grain := l.h.beats.grain
	if past := (now.Sub(epoch) + d) % grain; past > 0 {
		d += grain - past
	} else {
		d -= past // the epoch may lie ahead, in virtual time
	}
	l.sock.Loop().After(d, &l.timer)
}

// pingFrame is shared by all links, so a ping takes no memory.
var pingFrame = frame.AppendMessage(nil, frame.Ping, nil)

// Fire is the link's timer: its heartbeat, or the end of the wait for the
// peer's Close frame.
func (l *link) Fire(now time.Time) {
	if l.state&closing != 0 {
		l.waitedLong()
		return
	}
	b := &l.h.beats
	silence := l.silence(now)
	if l.state&paused != 0 {
		l.ping()
		l.beatIn(now, b.first())
		return
	}
	if b.dead > 0 && silence >= b.dead {
		l.die()
		return
	}
	if silence < b.first() {
		l.beatIn(now, b.first()-silence)
		return
	}
	l.ping()
	next := b.ping
	if b.dead > 0 {
		next = min(next, b.dead-silence)
	}
	l.beatIn(now, next)
}

func (l *link) ping() {
	if l.h.beats.ping > 0 && l.sock.Waiting() == 0 {
		l.sock.Lend(pingFrame)
	}
}
