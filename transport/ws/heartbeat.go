package ws

import (
	"time"

	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/frame"
)

// The heartbeat. A peer from which nothing came for long is pinged; every client
// answers by itself (RFC 6455, section 5.5.2), so silence after that means that it
// is gone: internal/beat has the rule. Any byte counts as a sign of life.
//
// No ping is sent while something else waits to be sent: that asks the peer's
// side for an answer already, and pings do not pile up for one that does not
// read.

// A heart is a [longwire.Receiver] that has something to say when its peer is
// pinged: where it stands, in the session protocol. It sends that itself, and it leaves
// in the same write.
type heart interface {
	Heartbeat(now time.Time) bool
}

// hear notes that the peer lives.
func (l *link) hear(now time.Time) { l.heard = beat.At(now) }

// listen begins the heartbeat, or goes on with it on another loop.
func (l *link) listen(now time.Time) {
	l.timer.Owner = l
	if d, ok := l.h.beats.Begin(now, l.heard); ok {
		l.sock.Loop().After(d, &l.timer)
	}
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
	do, again := l.h.beats.Look(now, l.heard, l.state&paused == 0)
	switch do {
	case beat.End:
		l.die()
		return
	case beat.Ping:
		l.ping(now)
	}
	if l.state&closing == 0 {
		l.sock.Loop().After(again, &l.timer)
	}
}

func (l *link) ping(now time.Time) {
	if l.sock.Waiting() > 0 {
		return
	}
	l.sock.Lend(pingFrame)
	if r, ok := l.recv.(heart); ok {
		r.Heartbeat(now)
	}
}
