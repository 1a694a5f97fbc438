package jetstream

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A Broker keeps what is published, in JetStream. It is a [longwire.Broker], and also a
// [longwire.Forgetter] and [longwire.Partitioned]. Its methods may be called from any goroutine.
type Broker struct {
	// Immutable after Open.
	opts      Options
	log       *slog.Logger
	layout    *longwire.Layout
	parts     []*part
	embedded  *embedded           // nil with a cluster
	desk      *desk               // nil with a cluster
	cluster   *cluster            // nil with a server inside
	keeper    keeper              // of the record
	writes    *conn               // publishes, and hears acknowledgements
	reads     *conn               // a connection of its own: reading does not hold up publishing
	js        jetstream.JetStream // by reads
	pages     pages
	inbox     string // what the subjects of acknowledgements begin with
	acks      chan *nats.Msg
	posted    chan func()
	toSend    chan struct{} // capacity 1: something is to be sent
	toTell    chan struct{} // capacity 1: something was settled
	ended     chan struct{} // closed when the sender and the teller are to end
	told      chan struct{} // closed when the teller has
	comparing chan struct{} // holds one for each key that is being compared
	ctx       context.Context
	cancel    context.CancelFunc

	record  atomic.Pointer[record] // what it points to never changes
	writing sync.Mutex             // held while the record is replaced
	sending sync.Mutex             // held while something is sent: who holds it has the store to itself

	closing  atomic.Bool  // nothing more is taken
	room     atomic.Int64 // so many bytes may be published until it is looked at again
	full     atomic.Bool  // there is no room
	broken   atomic.Bool  // the store could not write, and takes nothing any more
	outdated atomic.Bool  // another node has laid channels out in another way
	foreign  atomic.Bool  // it was said that somebody else publishes
	wg       sync.WaitGroup
	once     sync.Once

	mended time.Time // when the store was started again; owned by the watcher

	// Owned by the teller.
	era       *record // whose present epoch followers were told of
	followers []*follower
	joining   []*follower // who wait for their begin
	items     []*item
	clock     int // looks since the beginning
	heard     int // when something was heard, or nothing was waited for
}

// A conn is a connection to the server.
type conn struct{ nc *nats.Conn }

// Open opens the data that the options name, or makes it. When it returns, all that was
// kept can be read.
func Open(ctx context.Context, o *Options) (*Broker, error) {
	opts := o.filled()
	b := &Broker{
		opts: opts, log: opts.Log, inbox: nats.NewInbox() + ".",
		acks: make(chan *nats.Msg, 2*maxItems), posted: make(chan func()),
		toSend: make(chan struct{}, 1), toTell: make(chan struct{}, 1), ended: make(chan struct{}), told: make(chan struct{}),
		comparing: make(chan struct{}, maxCompared),
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if err := b.open(ctx); err != nil {
		close(b.ended)
		b.release()
		return nil, err
	}
	b.era = b.record.Load()
	if b.embedded != nil {
		b.lookAtRoom()
		b.openDesk()
	}
	b.wg.Go(b.send)
	b.wg.Go(func() {
		defer close(b.told)
		b.tell()
	})
	b.wg.Go(b.watch)
	if b.cluster != nil {
		b.post(b.startFeeds)
	}
	return b, nil
}

func (b *Broker) open(ctx context.Context) (err error) {
	switch {
	case b.opts.Dir != "" && b.opts.URL != "":
		return wire.Errorf(wire.CodeBadRequest, "what is published is kept in a directory or in a NATS cluster, not in both; name one of them")
	case b.opts.URL != "":
		return b.openCluster(ctx)
	}
	if b.embedded, err = newEmbedded(&b.opts); err != nil {
		return err
	}
	b.keeper = recordFile{b.opts.Dir}
	r, damage := b.keeper.load(ctx)
	if damage != nil && !damaged(damage) {
		return damage // a newer program's data is not touched
	}
	clearHalf(b.opts.Dir)
	if err := b.lay(r, 1); err != nil {
		return err
	}
	if err := b.check(ctx, r); err != nil {
		return err
	}
	if err := b.embedded.start(); err != nil {
		return err
	}
	if err := b.connect(); err != nil {
		return err
	}
	if r == nil {
		if err := b.checkNew(ctx, damage); err != nil {
			return err
		}
	}
	if err := b.makeStreams(ctx, r); err != nil {
		return err
	}
	return b.begin(ctx, r)
}

// lay lays channels out over partitions; new data has so many of each class, unless the options say it.
func (b *Broker) lay(r *record, each int) (err error) {
	switch {
	case b.opts.Partitions > 0:
		each = b.opts.Partitions
	case r != nil:
		each = r.Partitions
	}
	if b.layout, err = longwire.NewLayout(b.opts.Classes, each); err != nil {
		return err
	}
	b.parts = nil
	for i := range b.layout.Partitions() {
		c := b.layout.Class(i)
		b.parts = append(b.parts, &part{
			index: i, class: c, stream: b.opts.stream(c.Name, i%each), subject: b.opts.subject(c.Name, i%each),
			reply: fmt.Sprintf("%s%d.", b.inbox, i),
		})
	}
	return b.checkClasses()
}

// connect makes the connections.
func (b *Broker) connect() (err error) {
	lost := func(*nats.Conn, error) { b.post(b.giveUp) }
	if b.writes, err = b.dial("publishing", nats.DisconnectErrHandler(lost), nats.ReconnectHandler(func(*nats.Conn) { b.post(b.again) })); err != nil {
		return err
	}
	if b.reads, err = b.dial("reading", nats.DisconnectErrHandler(func(*nats.Conn, error) { b.pages.lost() })); err != nil {
		return err
	}
	if _, err = b.writes.nc.ChanSubscribe(b.inbox+">", b.acks); err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	if b.js, err = jetstream.New(b.reads.nc); err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	return b.pages.open(b.reads.nc)
}

func (b *Broker) dial(name string, options ...nats.Option) (*conn, error) {
	options = append(options, nats.Name("longwire, "+name),
		nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.ReconnectBufSize(-1), // what cannot be sent is refused, and not kept
		nats.SkipSubjectValidation(),
	)
	if b.embedded != nil {
		options = append(options, nats.InProcessServer(b.embedded))
	} else {
		options = append(options, b.clusterOptions()...)
	}
	nc, err := nats.Connect(b.opts.URL, options...)
	if err != nil && b.embedded == nil {
		return nil, b.unreachable(err)
	}
	if err != nil {
		return nil, fmt.Errorf("jetstream: connecting: %w", err)
	}
	return &conn{nc}, nil
}

// again is called by the teller when the connection was made anew: what was acknowledged on the one
// before may not have been heard.
func (b *Broker) again() {
	if b.embedded == nil {
		return // followers do not hear of acknowledgements
	}
	for _, p := range b.parts {
		p.behind = p.class.KeepsHistory()
	}
}

// begin finds out where the partitions stand, and which epoch it is. From then on the end is not in
// order unless Close says so.
func (b *Broker) begin(ctx context.Context, r *record) error {
	if r == nil {
		r = newRecord(b.layout)
	}
	last := make([]uint64, len(b.parts))
	for _, p := range b.parts {
		if !p.class.KeepsHistory() {
			continue
		}
		s, err := b.stateOf(ctx, p, "")
		if err != nil {
			return err
		}
		p.last, p.acked = s.Last, s.Last
		if last[p.index], err = b.whole(ctx, p, s, r); err != nil {
			return err
		}
		if len(r.Clean) == len(last) && last[p.index] < r.Clean[p.index] && p.onDisk() {
			b.log.Error("jetstream: the end of what was kept is lost; whoever had a position is told of a gap", "stream", p.stream, "kept", last[p.index], "last", r.Clean[p.index])
			last[p.index] = 0 // who stood before it has lost something, too
		}
		p.suspectLoss(s)
		r.dropDamage(p.index, s, p.class.Age)
	}
	if _, err := r.begin(b.layout, last); err != nil {
		return err
	}
	for i, l := range r.Limits {
		b.parts[i].lost = max(b.parts[i].lost, l.Lost)
	}
	r.Clean = nil
	b.record.Store(r)
	return b.keeper.store(ctx, r)
}

// Partitions returns how many partitions there are, of all classes together.
func (b *Broker) Partitions() int { return b.layout.Partitions() }

// Partition returns where a channel lives.
func (b *Broker) Partition(channel string) int { return b.layout.Partition(channel) }

// Keeps reports whether a channel has history, or whether some that match a pattern do.
func (b *Broker) Keeps(channel string) bool { return b.layout.Keeps(channel) }

// Behind returns the policy of a channel without history.
func (b *Broker) Behind(channel string) longwire.Policy { return b.layout.Behind(channel) }

// Close waits until all publishers were told, and ends. If ctx ends before, those that are left
// hear outcome_unknown.
func (b *Broker) Close(ctx context.Context) (err error) {
	b.once.Do(func() {
		b.closing.Store(true)
		err = b.settleAll(ctx)
		b.stop()
		if err == nil && b.embedded != nil {
			err = b.leave(ctx)
		}
		b.release()
	})
	return err
}

// stop ends the broker's goroutines.
func (b *Broker) stop() {
	b.cancel()
	b.desk.close()
	close(b.ended)
	b.wg.Wait()
}

// settleAll waits until nothing is on its way.
func (b *Broker) settleAll(ctx context.Context) error {
	for {
		idle := true
		for _, p := range b.parts {
			idle = idle && p.idle()
		}
		if idle {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
}

// leave ends the server inside, and notes that the end is in order.
func (b *Broker) leave(ctx context.Context) error {
	b.embedded.stop()
	if err := syncBlocks(b.opts.Dir); err != nil { // first: the note must not outlive what it says
		return err
	}
	return b.leaveClean(ctx)
}

// leaveClean notes that the end is in order, and with which numbers.
func (b *Broker) leaveClean(ctx context.Context) error {
	return b.replace(ctx, func(r *record) error {
		r.Clean = make([]uint64, len(b.parts))
		for _, p := range b.parts {
			r.Clean[p.index] = max(p.last, p.acked)
		}
		return nil
	})
}

// release gives back what Open took.
func (b *Broker) release() {
	b.cancel()
	for _, c := range []*conn{b.writes, b.reads} {
		if c != nil {
			c.nc.Close()
		}
	}
	if b.cluster != nil {
		b.cluster.close()
	}
	if b.embedded != nil {
		b.embedded.close()
	}
}

// now is the time of a publication that has none: without the monotonic clock's, because it is kept.
func now() time.Time { return time.Now().Round(0) }

// maxCount is the number behind every number.
const maxCount = math.MaxUint64
