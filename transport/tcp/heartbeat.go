package tcp

import (
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// The heartbeat. TCP itself has nothing that a peer answers, so only receivers
// that can say something in their own protocol have one: hearts. internal/beat has
// the rule. Any byte counts as a sign of life. Silence means something only of a
// peer that answers, that has not finished writing, and that we do not hold back.
//
// Nothing is said while something else waits to be sent: that asks the peer's
// side for an answer already, and TCP_USER_TIMEOUT finds the dead.

// A heart is a [longwire.Receiver] that has something to say to a silent peer.
type heart interface {
	// Heartbeat says it, and returns true if it said something.
	Heartbeat(now time.Time) bool
	// Answers reports whether the peer answers that.
	Answers() bool
}

// A watch is the timer of a link: until the first byte came it ends a peer
// that says nothing at all, from then on it is the heartbeat. Links that need
// neither have none.
type watch struct {
	timer loop.Timer
	link  *link
	heard beat.Moment
	first bool // the first byte has not come
}

// listen begins to watch, if there is a reason to.
func (l *link) listen(now time.Time) {
	_, beats := l.recv.(heart)
	if !beats && l.srv.FirstByte <= 0 {
		return
	}
	l.watch = &watch{link: l, heard: beat.At(now), first: l.srv.FirstByte > 0}
	l.watch.timer.Owner = l.watch
	l.watch.arm(now)
}

// arm sets the timer, on whatever loop the link is.
func (w *watch) arm(now time.Time) {
	d, ok := w.link.srv.beats.Begin(now, w.heard)
	if w.first {
		d, ok = w.link.srv.FirstByte, true
	}
	if ok {
		w.link.sock.Loop().After(d, &w.timer)
	}
}

// hear notes that the peer lives.
func (w *watch) hear(now time.Time) {
	w.heard = beat.At(now)
	if !w.first {
		return
	}
	w.first = false
	w.timer.Stop()
	if _, beats := w.link.recv.(heart); beats {
		w.arm(now)
	} else {
		w.link.watch = nil
	}
}

// Fire is the link's timer.
func (w *watch) Fire(now time.Time) {
	l := w.link
	if w.first {
		l.watch = nil
		l.Close(longwire.Close{Code: wire.CodeHandshakeTimeout})
	}
	h, ok := l.recv.(heart)
	if !ok || l.state&closing != 0 {
		return
	}
	do, again := l.srv.beats.Look(now, w.heard, l.state&(paused|ended) == 0 && h.Answers())
	switch {
	case do == beat.End:
		l.Close(longwire.Close{Code: wire.CodeIdleTimeout})
	case do == beat.Ping && l.sock.Waiting() == 0:
		h.Heartbeat(now)
	}
	if l.state&closing == 0 {
		l.sock.Loop().After(again, &w.timer)
	}
}
