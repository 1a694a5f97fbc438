package stream

import (
	"math/rand/v2"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// The one timer of a stream is for its heartbeat and for its lifetime.
//
// After PingAfter of silence the encoder's ping is sent, unless something waits
// to be sent already: then the peer, or the path to it, is asked enough, and
// TCP_USER_TIMEOUT finds the dead. Nothing is done to the timer when something
// is sent, only its time is noted; when the timer fires, it is armed for what
// is left. Its times are rounded down to a common grain, so that the pings of
// many links share the loop's waking up, and none is late.
//
// A receiver that implements heart speaks for itself.

// A heart is a [longwire.Receiver] that has something to say when a stream was
// silent for long: where it stands, in the session protocol; or when a poll's
// time is over, unless it is a standing. It sends it, and returns true if that
// makes a heartbeat needless.
type heart interface {
	Heartbeat(now time.Time) bool
}

const (
	maxGrain = 250 * time.Millisecond
	grains   = 16 // at least as many to an interval
)

// epoch is what times are counted from.
var epoch = time.Now()

// speak notes that something is sent. The clock of 32 bits goes round every 49
// days, and only differences of it are used.
func (l *link) speak() { l.spoke = millis(l.loop.Now()) }

func millis(now time.Time) uint32 { return uint32(now.Sub(epoch).Milliseconds()) }

// live begins the heartbeat and the lifetime.
func (l *link) live(now time.Time) {
	l.spoke = millis(now)
	if d := or(l.h.Lifetime, lifetime); d > 0 {
		l.until = now.Sub(epoch) + d - time.Duration(rand.Float64()*float64(d)/5)
	}
	l.arm(now)
}

func (l *link) pingAfter() time.Duration {
	if _, ok := l.recv.(heart); !ok && l.enc.Ping == "" {
		return 0
	}
	return or(l.h.PingAfter, wire.StreamPingAfter)
}

// arm sets the timer for what comes first.
func (l *link) arm(now time.Time) {
	at := now.Sub(epoch)
	next := time.Duration(-1)
	if ping := l.pingAfter(); ping > 0 {
		grain := max(time.Millisecond, min(maxGrain, ping/grains))
		due := at + ping - time.Duration(millis(now)-l.spoke)*time.Millisecond
		past := due % grain
		if past < 0 { // the epoch lies ahead, in virtual time
			past += grain
		}
		next = max(0, due-past-at)
	}
	if l.until != 0 && (next < 0 || l.until-at < next) {
		next = max(0, l.until-at)
	}
	if next >= 0 {
		l.loop.After(next, &l.timer)
	}
}

// Fire is the link's timer.
func (l *link) Fire(now time.Time) {
	switch {
	case l.poll != nil:
		l.poll.fire(now)
		return
	case l.state&closing != 0:
		return
	case l.until != 0 && now.Sub(epoch) >= l.until:
		l.Close(longwire.Close{Code: wire.CodeLifetime})
		return
	}
	ping := l.pingAfter()
	silence := time.Duration(millis(now)-l.spoke) * time.Millisecond
	if ping > 0 && silence+min(maxGrain, ping/grains) >= ping && l.box == nil {
		l.ping(now)
	}
	if l.state&closing == 0 {
		l.arm(now)
	}
}

func (l *link) ping(now time.Time) {
	l.spoke = millis(now)
	if l.sock.Waiting() > 0 {
		return
	}
	if r, ok := l.recv.(heart); ok && r.Heartbeat(now) || l.state&closing != 0 {
		return
	}
	l.sock.Lend(l.enc.ping(l.chunked))
}
