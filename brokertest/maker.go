package brokertest

import (
	"testing"
	"time"

	"github.com/longwire/longwire"
)

// A Maker makes brokers of one kind to be tried, and does to them what may happen to
// that kind. The suite closes what it opened, but for what it killed; what else there
// is to clean up, such as a folder, is for t.Cleanup.
type Maker struct {
	// Open opens a broker in which nothing was ever published.
	Open func(t *testing.T, o Options) longwire.Broker
	// Reopen opens what a broker left that was closed or killed, with the same options.
	// Nil means that nothing is left.
	Reopen func(t *testing.T, b longwire.Broker) longwire.Broker
	// Kill ends a broker as kill -9 does: what it has not written by then it never writes,
	// and it does not note that it ended. But its publishers live on here: they hear an error,
	// unavailable or outcome_unknown, also if they publish later. It needs Reopen; nil means
	// that it cannot be done.
	Kill func(t *testing.T, b longwire.Broker)
	// Interrupt breaks what feeds its followers, a connection or a consumer, which
	// they get over by themselves. Nil means that there is no such thing.
	Interrupt func(t *testing.T, b longwire.Broker)

	// Virtual says that a broker waits for nothing outside of the process, so each
	// behaviour runs in a bubble of testing/synctest, where ages take no time.
	Virtual bool
	// Age is an age that the broker can hold history and keys to. It is waited for, so it
	// should be short; but a few publications and reads have to fit in. Zero means a second.
	Age time.Duration
}

// Options are what a broker is to be opened with.
type Options struct {
	// Classes are the retention classes, at least one; the last takes all channels.
	Classes []longwire.Class
	// Partitions is how many there are of each class; 1 or 8.
	Partitions int
	// KeyWindow is how long keys are remembered. Zero means the broker's default, which is at
	// least a minute.
	KeyWindow time.Duration
}
