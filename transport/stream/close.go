package stream

import (
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Close ends the response in order: the encoder's last words, then the end of
// the body as the version of HTTP has it. A connection that can serve further
// requests goes back to its server. A link that is polled tells its next poll.
func (l *link) Close(c longwire.Close) {
	if l.state&closing != 0 {
		return
	}
	l.state |= closing
	l.end = &c
	l.timer.Stop()
	switch {
	case l.poll != nil:
		l.poll.finish()
	case l.box == nil:
		l.finish()
	} // else settle, when there is a socket
}

// finish ends a stream.
func (l *link) finish() {
	var b []byte
	if l.enc.Close != nil {
		if l.chunked {
			b = endChunk(l.enc.Close(beginChunk(nil), l.end), 0)
		} else {
			b = l.enc.Close(nil, l.end)
		}
	}
	if l.chunked {
		b = append(b, lastChunk...)
	}
	l.sock.Lend(b)
	if l.taken == nil {
		l.sock.Close(l.end, wire.FlushTimeout)
		return
	}
	l.taken.GiveBack(l.sock, nil)
	l.sock, l.taken = nil, nil
	l.loop.PostTask((*tellTask)(l))
}

// tellTask tells the receiver that the link is closed, not from inside its own call.
type tellTask link

func (t *tellTask) Run(now time.Time) { (*link)(t).tell(now) }

// tell tells the receiver, once, that the link is closed.
func (l *link) tell(now time.Time) {
	if l.recv == nil || l.state&told != 0 {
		return
	}
	l.state |= closing | told
	l.up.drop(l)
	if l.poll == nil {
		l.timer.Stop()
		l.h.links.remove(l.id)
	}
	l.recv.Closed(now, l.end)
	l.h.leave()
}

// leave counts a link out.
func (h *Handler) leave() {
	if h.live.Add(-1) == 0 && h.closing.Load() {
		select {
		case h.emptied <- struct{}{}:
		default:
		}
	}
}

// settle is what begins once there is a socket: what was put off meanwhile.
type settleTask link

func (t *settleTask) Run(now time.Time) {
	l := (*link)(t)
	q := l.box
	l.box = nil
	switch {
	case l.sock == nil: // closed already
	case l.state&closing != 0:
		l.finish()
	case q.full:
		l.recv.Drained(now)
	}
}
