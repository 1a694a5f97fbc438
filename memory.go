package longwire

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/longwire/longwire/wire"
)

// MemoryOptions say how much history a memory broker keeps, and where. Nil means all
// defaults.
type MemoryOptions struct {
	// Count is how many publications of each channel a position may lie behind the
	// last; one more is kept. Zero means 1,000, negative no history.
	Count int
	// Age is how long a publication is kept. Zero means 24 h, negative for ever.
	Age time.Duration
	// Bytes bounds the memory of all channels together, with what is needed to find
	// publications; the oldest go first. Zero means 1 GiB, negative is no bound.
	Bytes int64
	// KeyWindow is how long a key is remembered; never longer than Age. Zero means
	// 2 minutes, negative that keys mean nothing.
	KeyWindow time.Duration
	// Behind is for channels without history, as in [Class].
	Behind Policy
	// Classes are the retention classes; then Count, Age, Bytes and Behind are theirs. None means
	// one class of the four above. Memory and Name mean nothing here.
	Classes []Class
	// Partitions is how many there are of each class. Zero means one.
	Partitions int
}

// NewMemory returns a broker in memory, for one node: what it keeps ends with it.
// It has an epoch of its own and is also a [Forgetter]; with more than one partition
// it is [Partitioned], as a [Layout] of its classes says. What [NewLayout] refuses, the
// broker says to whoever calls it, and does nothing else. Nil options mean all defaults.
//
// Publish takes a short lock and does the same work however much is kept. Whoever
// publishes while nobody tells the followers does so itself, for about 256
// publications; then a goroutine goes on. Followers hear of a publication before
// its publisher does. While 65,536 publications or 256 MiB wait
// to be told, more are refused as overloaded.
//
// How old a publication is counts from when the broker took it, not from its Time.
// It costs about 220 bytes beside its data, a channel about 160 beside its name.
//
// What a channel lost is known, by number, for as long as anything of it is kept,
// and for Age after it lost something, in at most an eighth of Bytes for channels of
// which nothing is kept. Of any other channel everything is taken for lost that is
// older than Age, or than the newest loss there was no room to remember. So the age
// of a position, [Range].Taken, is not needed here.
//
// Keys may take another quarter of Bytes. Then publications with a key are refused
// as overloaded: one may be published twice otherwise.
//
// Each partition has these bounds for itself and shares no lock with another. A follower
// of several may hear what is published while it begins after the publisher does.
func NewMemory(o *MemoryOptions) Broker {
	if o == nil {
		o = &MemoryOptions{}
	}
	epoch := uint32(0)
	for epoch == 0 { // zero is no epoch
		epoch = rand.Uint32()
	}
	return newMemParts(o, epoch)
}

// newMemory returns a partition; it is a broker if there is no other.
func newMemory(o MemoryOptions, epoch uint32, partition int) *memory {
	return &memory{
		epoch:     epoch,
		partition: partition,
		behind:    o.Behind,
		start:     time.Now(),
		log:       newMemLog(&o),
		keys:      newMemKeys(&o),
		feed:      memFeed{epoch: epoch, partition: partition},
		closed:    make(chan struct{}),
	}
}

// Of what a memory broker keeps if its options do not say.
const (
	memCount     = 1000
	memAge       = 24 * time.Hour
	memBytes     = 1 << 30
	memKeyWindow = 2 * time.Minute
)

// filled returns the options without zeros. What has no bound is negative.
func (o MemoryOptions) filled() MemoryOptions {
	c := Class{Count: o.Count, Age: o.Age, Bytes: o.Bytes}.filled()
	o.Count, o.Age, o.Bytes = c.Count, c.Age, c.Bytes
	if o.KeyWindow == 0 {
		o.KeyWindow = memKeyWindow
	}
	if o.Age > 0 {
		o.KeyWindow = min(o.KeyWindow, o.Age)
	}
	return o
}

// side returns the bound of something that takes a part of Bytes for itself.
func (o *MemoryOptions) side(part int64) int64 {
	if o.Bytes < 0 {
		return memBytes / part
	}
	return o.Bytes / part
}

// A memory is the memory broker, or a partition of one that has several.
type memory struct {
	// Immutable.
	epoch     uint32
	partition int
	behind    Policy
	start     time.Time
	closed    chan struct{} // closed by Close, with mu held
	log       *memLog       // what it holds is guarded by mu
	keys      *memKeys      // the same

	feed memFeed // partly guarded by mu

	// A read holds turn while it waits for mu and has it. So publishers wait behind one
	// at most, however many there are, and those who wait do not run.
	turn sync.Mutex

	mu sync.Mutex
	// Guarded by mu.
	timer *time.Timer // sweeps; nil before the first publication
	armed bool
	lead  time.Duration // the most that a publication's Time was ahead of when it was taken
}

var (
	errMemClosed     = wire.Errorf(wire.CodeUnavailable, "the broker is closed")
	errMemOverloaded = &wire.Error{Code: wire.CodeOverloaded}
	errMemKeyReused  = &wire.Error{Code: wire.CodeKeyReused}
)

// Publish numbers p under the lock and puts it where it is read and told of from.
func (m *memory) Publish(p *Publication, done func(*Publication, error)) {
	var sum memSum
	if m.keys.use(p) {
		sum = sumOf(p)
	}
	m.mu.Lock()
	q, err := m.take(p, &sum)
	drain := m.feed.add(memItem{p: q, done: done, err: err, fresh: q == p})
	m.mu.Unlock()
	if drain {
		m.drain(memTurn)
	}
}

// take keeps p. It returns p, or the one that was published before with its key.
func (m *memory) take(p *Publication, sum *memSum) (*Publication, error) {
	if m.isClosed() {
		return nil, errMemClosed
	}
	if m.feed.full() {
		return nil, errMemOverloaded
	}
	now := time.Now()
	at := now.Sub(m.start)
	m.log.sweep(at, 4) // more than the one that comes, so that old ones get fewer
	m.keys.sweep(at, 4)
	if m.keys.use(p) {
		first, err := m.keys.find(p, sum, at)
		if first != nil || err != nil {
			return first, err
		}
	}
	if p.Time.IsZero() {
		p.Time = now.Round(0)
	}
	m.lead = max(m.lead, p.Time.Sub(m.start.Round(0).Add(at)))
	p.Partition, p.Epoch = m.partition, m.epoch
	if m.Keeps(p.Channel) {
		m.log.add(p, at)
	}
	if m.keys.use(p) {
		m.keys.add(p, sum, at)
	}
	m.arm()
	return p, nil
}

// Forget forgets what is kept of a channel. Followers hear of it between what is
// forgotten and what is not.
func (m *memory) Forget(ctx context.Context, channel string) error {
	told := make(chan struct{})
	it := memItem{forgot: channel, done: func(*Publication, error) { close(told) }}
	upTo, more, drain := uint64(0), true, false
	for first := true; more; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.mu.Lock()
		if m.isClosed() {
			m.mu.Unlock()
			return errMemClosed
		}
		if first {
			upTo, drain = m.log.last, m.feed.add(it)
		}
		more = m.log.forget(channel, upTo, m.now(), memHold)
		m.mu.Unlock()
		if first && drain {
			m.drain(memTurn)
		}
	}
	select {
	case <-told:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Keeps reports whether channels have history. Without it publications have no numbers:
// they are told, and there is nothing to know of them later.
func (m *memory) Keeps(string) bool { return m.log.keep > 0 }

// Behind returns the policy of channels without history.
func (m *memory) Behind(string) Policy { return m.behind }

// Close lets those hear that have published, and ends following. It must not be
// called by a done or a sink: it waits for them.
func (m *memory) Close(ctx context.Context) error {
	m.mu.Lock()
	if !m.isClosed() {
		close(m.closed)
		if m.timer != nil {
			m.timer.Stop()
		}
	}
	idle := m.feed.idle()
	m.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *memory) isClosed() bool {
	select {
	case <-m.closed:
		return true
	default:
		return false
	}
}

func (m *memory) now() time.Duration { return time.Since(m.start) }
