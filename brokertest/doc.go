// Package brokertest holds every broker to the same contract. [Run] opens brokers with one
// partition and with eight, and tries each clause below. A broker of one's own passes if Run
// does:
//
//	func TestBroker(t *testing.T) { brokertest.Run(t, brokertest.Maker{ … }) }
//
// A [Maker] needs one function, Open; with each other that it has, more is tried: Reopen says
// that something is kept, Kill that an end without a goodbye can be had, Interrupt that feeds
// can break. A broker that is [longwire.Partitioned], a [longwire.Forgetter], or has a
// Keeps(channel string) bool, which of a pattern says whether all that may match it have history, or a Behind(channel string) longwire.Policy, is held to that too. Each behaviour has a broker of its own, and
// they run one after the other, so those of a maker may share a server.
//
// # What a broker promises
//
// See [longwire.Broker] for the methods.
//
// Publishing. A partition numbers its publications 1, 2, 3, …, in one epoch, whoever publishes. Done
// is called once for each, for one channel in the order of the calls of Publish and of the numbers.
// It may publish, and so may a sink. There is no order between partitions.
//
// Keys. Within the window a publication with a key used before on that channel gives the first
// one, and other data key_reused, also if both are published at once. After the window it is a new one.
//
// Content. Done, followers and readers get what was published: channel, kind, content type, bytes, headers,
// publisher, key, and time to the millisecond; with partition, epoch and number.
//
// Reading. By name, by several, by patterns, a publication once; behind a position, the last of each
// channel, from a time; up to a limit, and never beyond what was the last when it began. It ends when its
// context does. What is acknowledged or told can be read.
//
// Bounds. Of a channel Count and one more are kept; nothing that is older than Age; of a partition at most
// Bytes, the oldest go first. Each channel has what its class says. A class with a negative count
// keeps nothing; its channels are told all the same, and in order.
//
// Gaps. A position is within a channel's history while the publication at it is still kept, or while it
// is younger than Age and fewer than Count of the channel follow; within a pattern's, if it is within that
// of each channel that matches. Then there is no gap. If something behind it is gone, or it is of no epoch there
// was, or beyond the end of its epoch, there is one: before the first publication, one for each name and pattern
// concerned, and then all that is kept, behind the position or, if that never was, from the oldest. Where neither
// is so, nothing is missing, but it may be that the broker cannot know: both are good. Read again a gap says the same;
// read from its After on, nothing else comes and no newer loss is told. What goes while a read goes on is told
// before what follows.
//
// Following. The first calls say where each partition begins, one for each, in the same epoch. Then each partition
// tells one thing at a time, in the order of its numbers and without a hole, whoever else comes and goes, and whatever
// breaks on the way. It ends with its context and with the broker, and then the sink is not called.
//
// Ends. When the broker is closed, whoever has published hears; later ones are told unavailable. Opened
// again after that, the epoch is the same, and with it what is kept, positions, keys and numbers. Opened again
// after any other end there is a new epoch, and nothing acknowledged is lost. A feed begins with where the earlier
// epochs ended, in every partition; positions of those are good up to there, and beyond it there is a gap.
package brokertest
