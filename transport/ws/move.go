package ws

import (
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// Move takes the link to another loop at the end of the turn, with all that
// waits in it, in either direction, and runs then there: for a receiver that
// learns from a message where its link belongs, and says so from inside Receive.
// No further message is heard here. A pause stays.
//
// Until then runs, the link belongs to nobody and the receiver calls nothing of
// it; Send would say ErrFull. If the link ends before, then does not run, and
// Closed follows, on either loop.
func (l *link) Move(to *loop.Loop, then func(now time.Time)) {
	if l.state&closing != 0 {
		return // Closed follows
	}
	l.state |= moving
	l.timer.Stop()
	l.sock.Move(to, func(now time.Time) {
		l.state &^= moving
		l.listen(now)
		then(now)
	})
}
