package longwire

import "time"

// A Publication is what was published to a channel, once. Whoever is given one
// must not change it, nor its data.
type Publication struct {
	Channel string
	Kind    Kind
	// ContentType is the full media type of what is Binary and yet more than that, such
	// as image/png; empty otherwise.
	ContentType string
	// Data is the bytes. JSON is compacted: no white space between its tokens.
	Data []byte
	// From is the public id of the session that published it; empty for the server.
	From string
	// Headers are the publisher's own; nil mostly.
	Headers map[string]string
	// Key makes publishing idempotent: a second publication to the channel with
	// the same key, within the broker's window, is not published again.
	Key string

	// Time is when it was published. A zero one is set by the broker.
	Time time.Time

	// Set by the broker before done or any follower hears of it.

	Partition int    // where the channel lives
	Epoch     uint32 // of the partition
	Number    uint64 // 1, 2, 3, … in the partition
}

// Position returns the position at which a subscriber of the channel stands
// that has processed p.
func (p *Publication) Position() Position {
	return formatPosition(p.Epoch, p.Number, p.Time)
}

// PublishOptions are what a publication may have beside its data. Nil means none.
type PublishOptions struct {
	// Kind says what the data is. The zero Kind is Binary.
	Kind        Kind
	ContentType string            // see Publication
	From        string            // see Publication
	Key         string            // see Publication; at most 128 bytes of UTF-8
	Headers     map[string]string // at most 16, with at most 4 KiB of UTF-8 in all; copied
}
