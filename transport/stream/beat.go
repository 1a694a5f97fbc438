package stream

import (
	"math/rand/v2"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/wire"
)

// The one timer of a stream is for its heartbeat and for its lifetime.
//
// After PingAfter of silence the encoder's ping is sent, unless something waits
// to be sent already: then the peer, or the path to it, is asked enough, and
// TCP_USER_TIMEOUT finds the dead. The times are those of internal/beat, rounded
// down, so that no ping is late.
//
// A receiver that implements heart speaks for itself.

// A heart is a [longwire.Receiver] that has something to say when a stream was
// silent for long: where it stands, in the session protocol; or when a poll's
// time is over, unless it is a standing. It sends it, and returns true if that
// makes a heartbeat needless.
type heart interface {
	Heartbeat(now time.Time) bool
}

// epoch is what lifetimes are counted from.
var epoch = time.Now()

// speak notes that something is sent.
func (l *link) speak() { l.spoke = beat.At(l.loop.Now()) }

// live begins the heartbeat and the lifetime.
func (l *link) live(now time.Time) {
	l.spoke = beat.At(now)
	if d := beat.Or(l.h.Lifetime, lifetime); d > 0 {
		l.until = now.Sub(epoch) + d - time.Duration(rand.Float64()*float64(d)/5)
	}
	l.arm(now)
}

func (l *link) pingAfter() time.Duration {
	if _, ok := l.recv.(heart); !ok && l.enc.Ping == "" {
		return 0
	}
	return beat.Or(l.h.PingAfter, wire.StreamPingAfter)
}

// arm sets the timer for what comes first.
func (l *link) arm(now time.Time) {
	next := time.Duration(-1)
	if ping := l.pingAfter(); ping > 0 {
		next = beat.Down(now, ping-l.spoke.Since(now), beat.Grain(ping))
	}
	if left := l.until - now.Sub(epoch); l.until != 0 && (next < 0 || left < next) {
		next = max(0, left)
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
	if ping > 0 && l.spoke.Since(now)+beat.Grain(ping) >= ping && l.box == nil {
		l.ping(now)
	}
	if l.state&closing == 0 {
		l.arm(now)
	}
}

func (l *link) ping(now time.Time) {
	l.spoke = beat.At(now)
	if l.sock.Waiting() > 0 {
		return
	}
	if r, ok := l.recv.(heart); ok && r.Heartbeat(now) || l.state&closing != 0 {
		return
	}
	l.sock.Lend(l.enc.ping(l.chunked))
}
