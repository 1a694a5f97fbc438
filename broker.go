package longwire

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// A Broker carries publications between nodes and keeps history. Its methods may
// be called from any goroutine. The package brokertest says what they promise.
type Broker interface {
	// Publish publishes p, which is the broker's from now on. It never blocks.
	// done is called once, from any goroutine, also before Publish returns or by
	// another's Publish; for one channel in the order of the calls of Publish, where
	// one returned before the next began, and so in the order of the numbers. It
	// hears the publication as it is kept: p, or, if its key was used before with
	// the same data, the first one; or an error, and then the publication may or may
	// not have happened only if the error's code is outcome_unknown. done must not
	// block, but may publish. After Close the error is unavailable.
	Publish(p *Publication, done func(*Publication, error))
	// Follow tells sink of all publications of all partitions, each partition in
	// the order of its numbers and without a hole, from now until ctx or the broker
	// ends, and then returns nil; sink is not called any more then. An error is for what
	// it cannot mend by itself: a node logs it, and does not come again. The first calls,
	// one for each partition, have no publications and say where the feed begins.
	// Sink is called by one goroutine at a time for a partition, which may be anybody's who
	// publishes, so it must not block; it may publish. A publication can be read
	// before sink hears of it. Those of channels without history have the number
	// zero, or else no [Policy] is heeded; they can be missed, and are told in the order in which each publisher
	// published them. A broker says by a method Behind(channel string) Policy what a channel's policy is.
	Follow(ctx context.Context, sink func(Feed)) error
	// Read walks publications of a partition in the order of their numbers, up to
	// the last there was when it began. What is not within history is told first:
	// one *GapError for each channel or pattern concerned. Positions of earlier epochs are
	// within it as far as those ended. So is, in the midst, what
	// stops being kept while the read goes on, before the next publication; more may
	// follow a *GapError, nothing any other error.
	Read(ctx context.Context, r *Range) iter.Seq2[*Publication, error]
	// Close ends it; Follow returns. What was acknowledged is kept, if the broker
	// keeps anything.
	Close(ctx context.Context) error
}

// A Partitioned broker has more than one partition, which are numbered from zero.
type Partitioned interface {
	// Partitions returns how many there are, at most [MaxPartitions]. It never changes.
	Partitions() int
	// Partition returns where a channel lives. It never changes.
	Partition(channel string) int
}

// A Forgetter is a [Broker] that can forget. [NewMemory] makes one.
type Forgetter interface {
	// Forget deletes what is kept of a channel. Positions before it are not within
	// history any more; numbers go on. Who follows this broker is told in a [Feed] before
	// Forget returns, so a done or a sink must not call it.
	Forget(ctx context.Context, channel string) error
}

// A Feed is a piece of what a partition's followers hear.
//
// One without publications and without forgotten channels begins: the first, and another if the partition begins
// again. What is told then begins behind Last, in the epoch Epoch. That is another one if numbers that
// were told are not there any more. It is the same if publications up to Last were not told and are not kept any
// more; who stood before them goes on by reading, which tells whether there is a gap.
type Feed struct {
	Partition    int
	Epoch        uint32         // the same for all partitions
	Last         uint64         // the number of the last publication, of these or before them
	Publications []*Publication // may be kept, but not changed: others hear the same
	// Forgotten are channels of which nothing is kept that was published up to Last,
	// by [Forgetter]. Mostly there are none.
	Forgotten []string

	// Earlier are the epochs before, where one begins: positions in them are as good
	// as those of Epoch, up to where each ended.
	Earlier []EpochEnd
}

// An EpochEnd says where an epoch ended in a partition.
type EpochEnd struct {
	Epoch uint32
	Last  uint64 // the last number that is what it was then
}

// A Range says what to read of a partition. One of After, Last and From says where
// to begin; with all of them zero that is the oldest kept.
type Range struct {
	Partition int
	Channels  []string // channels and patterns; a publication comes once, whatever the number of them it matches

	Epoch uint32    // of After
	After uint64    // those with higher numbers; with an Epoch, zero means before the first
	Taken time.Time // when After was where somebody stood; zero if that is not known

	Last int       // the last of each channel
	From time.Time // those published then or later

	Limit int    // at most; zero means all
	UpTo  uint64 // none with a higher number; zero means all there are. Gaps are the same, but those of patterns may end there
}

// A GapError says that publications may be missing before the next that is
// read: a position is not within the channel's history any more, or never was.
type GapError struct {
	Channel string // or pattern
	// After is where to stand after the gap: nothing of the channel with this number or a
	// lower one follows. Of a channel it is the last that is not kept, so nothing
	// after it is missing. What matches a pattern may be kept from one channel while
	// newer things of another are lost; then After is before the first that follows, and a
	// read that begins there has a gap again.
	After uint64
	// Lost is the newest that is known to be lost, zero if none is. A gap with the same
	// one, and no more Losses, has been told already.
	Lost uint64
	// Losses, of a pattern, is more whenever more is lost of what it matches, and may be oftener: one
	// channel can lose what is older than what another has lost. Zero if Lost says all.
	Losses uint64
}

// Error tells the channel.
func (e *GapError) Error() string {
	return fmt.Sprintf("longwire: publications of %s are missing: the position is not within its history", e.Channel)
}
