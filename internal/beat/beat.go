// Package beat is the heartbeat of links as functions of time: after which
// silence a peer is asked whether it lives, and after which it is taken for
// gone. It has no timers of its own.
//
// Nothing is done to a link's timer when something is heard, only the [Moment] is
// noted. When the timer fires, [Rule.Look] says what is to be done and when to
// look again. Times are rounded to a common grain, so that the pings of many
// links share their loop's waking up.
package beat

import (
	"time"

	"github.com/longwire/longwire/wire"
)

const (
	// MaxGrain is the most that a heartbeat comes late, or early where it is
	// rounded down. A quarter of a second is nothing beside 25; and 18,000 links with
	// 720 beats per second wake their loops 4 times per second.
	MaxGrain = 250 * time.Millisecond
	// grains is how many of them there are at least in an interval.
	grains = 16
	// longest is the longest interval that a Moment can measure in any case.
	longest = 24 * 24 * time.Hour
)

// epoch is what times are counted from.
var epoch = time.Now()

// A Moment is a time in milliseconds. Its clock of 32 bits goes round every 49
// days; only differences of it are used.
type Moment uint32

// At returns the Moment of now.
func At(now time.Time) Moment { return Moment(now.Sub(epoch).Milliseconds()) }

// Since returns how long ago m was.
func (m Moment) Since(now time.Time) time.Duration {
	return time.Duration(At(now)-m) * time.Millisecond
}

// Grain returns the grain of an interval.
func Grain(interval time.Duration) time.Duration {
	return max(time.Millisecond, min(MaxGrain, interval/grains))
}

// Up returns the time to the first grain that begins d from now or later.
func Up(now time.Time, d, grain time.Duration) time.Duration {
	if p := past(now, d, grain); p > 0 {
		d += grain - p
	}
	return d
}

// Down returns the time to the last grain that begins d from now or earlier, zero if that is past.
func Down(now time.Time, d, grain time.Duration) time.Duration {
	return max(0, d-past(now, d, grain))
}

func past(now time.Time, d, grain time.Duration) time.Duration {
	p := (now.Sub(epoch) + d) % grain
	if p < 0 { // the epoch lies ahead, in virtual time
		p += grain
	}
	return p
}

// Or returns d, zero's value if d is zero, and zero, which is off, if it is negative.
func Or(d, zero time.Duration) time.Duration {
	if d == 0 {
		return zero
	}
	return max(d, 0)
}

// A Rule is the heartbeat of links whose peers can speak.
//
// A peer from which nothing came for the first of its times is asked, and again
// after every further such time of silence. One from which nothing came for the second
// is taken for gone, unless it cannot be heard or need not answer: then nothing
// is concluded from silence. It is asked all the same, because that keeps the
// mappings of routers alive, and makes TCP find out that the path is dead.
type Rule struct {
	ping, dead time.Duration // zero: off
	grain      time.Duration
}

// New returns the rule of two times; zero means wire.PingAfter and wire.DeadAfter,
// negative is off.
func New(ping, dead time.Duration) Rule {
	r := Rule{ping: min(Or(ping, wire.PingAfter), longest), dead: min(Or(dead, wire.DeadAfter), longest)}
	r.grain = Grain(r.first())
	return r
}

// first is the silence after which there is something to do; zero for never.
func (r *Rule) first() time.Duration {
	if r.ping == 0 || r.dead > 0 && r.dead < r.ping {
		return r.dead
	}
	return r.ping
}

// Begin returns when to look first at a peer that was heard at the given
// moment; false if never.
func (r *Rule) Begin(now time.Time, heard Moment) (time.Duration, bool) {
	first := r.first()
	return Up(now, max(0, first-heard.Since(now)), r.grain), first > 0
}

// Do is what a silence calls for.
type Do uint8

// What there is to do.
const (
	Wait Do = iota
	Ping
	End
)

// Look says what to do about a peer that was last heard at the given moment,
// and how long from now to look again. mortal says that its silence means
// something.
func (r *Rule) Look(now time.Time, heard Moment, mortal bool) (do Do, again time.Duration) {
	silence, dead := heard.Since(now), r.dead
	if !mortal {
		dead = 0
	}
	switch first := r.first(); {
	case dead > 0 && silence >= dead:
		return End, 0
	case silence < first:
		return Wait, Up(now, first-silence, r.grain)
	}
	again = r.ping
	if r.ping > 0 {
		do = Ping
	} else {
		again = r.dead
	}
	if dead > 0 {
		again = min(again, dead-silence)
	}
	return do, Up(now, again, r.grain)
}
