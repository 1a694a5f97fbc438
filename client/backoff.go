package client

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/longwire/longwire/wire"
)

// When to connect again: after as long as the server said, if it did, because
// it spreads its clients itself; else after a random time below a bound that
// doubles from 0.5 s to 20 s. The whole time is random, so that clients which were
// cut at once do not come back at once. A link that lived for longer than the last
// bound begins anew; one that was cut before does not, lest a server that takes
// everybody and fails at once is stormed.
type backoff struct {
	failed int
	last   time.Duration // the last bound
	most   time.Duration // the largest; zero means 20 s
}

const (
	backoffFirst = 500 * time.Millisecond
	backoffMost  = 20 * time.Second

	drainLeast = 500 * time.Millisecond
	drainMost  = 5 * time.Second
)

// lived hears how long the last link was there.
func (b *backoff) lived(d time.Duration) {
	if d > b.last {
		b.failed = 0
	}
}

// next returns how long to wait after err, and false if that will not help.
func (b *backoff) next(err error) (time.Duration, bool) {
	most := cmp.Or(b.most, backoffMost)
	if b.failed < 6 { // 0.5 s doubled six times is over 20 s
		most = min(most, backoffFirst<<b.failed)
	}
	b.failed++
	b.last = most
	if e, ok := errors.AsType[*wire.Error](err); ok {
		if !e.Retryable() {
			return 0, false
		}
		switch {
		case e.Retry > 0:
			return e.Retry, true
		case e.Code == wire.CodeDraining: // a WebSocket's close has no place for a time (docs/protocol.md, section 5.6)
			return min(cmp.Or(b.most, backoffMost), drainLeast+rand.N(drainMost-drainLeast)), true
		}
	}
	return rand.N(most), true
}
