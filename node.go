package longwire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// Options configure a [Node]. Nil means all defaults.
type Options struct {
	// Handler is the program's hooks.
	Handler Handler
	// Open lets everything pass that has no hook: whoever connects may subscribe to
	// everything and publish everywhere. Without it what has no hook is as [Handler] says.
	Open bool

	// Broker carries publications. Nil means a memory broker of the node's own; any
	// other is the caller's to close, after the node.
	Broker Broker
	// Engine is where sessions live; it must be that of the transports whose links
	// the node accepts. Nil means the shared one.
	Engine *Engine

	// ResumeWindow is how long a session without a link waits for its peer to come
	// back. Zero means 30 s, negative ends sessions with their links.
	ResumeWindow time.Duration
	// MaxMessage bounds the data of a publication, call or send, in bytes. Zero means 1 MiB.
	MaxMessage int
	// MaxSubscriptions bounds a session's subscriptions. Zero means 1,024.
	MaxSubscriptions int
	// Rate bounds the frames that a session may send in a second, and how many at
	// once. What is over it is refused with rate_limited. Zero means 10,000,
	// negative is no bound.
	Rate int

	// AllowOrigin lists the origins of pages that may use [Node.Handler] from another
	// host, as docs/protocol.md, section 2.5 says. Empty means the pages of the host itself.
	AllowOrigin []string

	// Log hears of what goes wrong. Nil means slog.Default().
	Log *slog.Logger

	bounds bounds
}

// What Options are by default. 30 s bridge a change of networks, and a restart.
const (
	resumeWindow     = 30 * time.Second
	maxSubscriptions = 1024
	frameRate        = 10_000
	keyWindow        = 2 * time.Minute
)

// A Node is one process: its sessions and their subscriptions. It is the session
// door: an [Acceptor] for the links of all transports, which become ways into
// sessions. Its methods may be called from any goroutine.
type Node struct {
	// Immutable after New.
	opts     Options
	log      *slog.Logger
	hubs     []*hub
	broker   Broker
	own      bool // broker is the node's
	parts    int  // of broker
	ctx      context.Context
	cancel   context.CancelFunc
	serving  context.Context // ends when nobody new is taken any more
	ends     context.CancelFunc
	began    time.Time
	unlisten func()

	index    index
	sessions registry
	recent   recent
	desk     desk

	epoch   atomic.Uint32
	earlier [MaxPartitions]atomic.Pointer[[]EpochEnd] // nil before a partition begins
	looking atomic.Uint64                             // the number up to which the index was, or is about to be, asked
	posted  atomic.Uint64                             // the number up to which all is with the hubs concerned
	front   atomic.Pointer[frontier]                  // that with its marks, if there are several partitions
	ending  atomic.Bool                               // nobody new is taken
	untold  atomic.Int64                              // ends of sessions that Disconnect has yet to hear of
	dropped atomic.Uint64                             // by policies, once for each subscription

	complained atomic.Int64 // the second in which it was last said that history cannot be read

	wg     sync.WaitGroup // the feed; Close waits for it
	closed sync.Once
}

// New starts a node. Close ends it.
func New(o *Options) (*Node, error) {
	n := &Node{began: time.Now()}
	if o != nil {
		n.opts = *o
	}
	n.fillOptions()
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.serving, n.ends = context.WithCancel(n.ctx)
	n.desk.ctx, n.desk.many = n.ctx, n.opts.bounds.together
	n.parts = 1
	if p, ok := n.broker.(Partitioned); ok {
		n.parts = min(p.Partitions(), MaxPartitions)
	}
	group := n.opts.Engine.Loops()
	if len(group.Loops()) > maxHubs {
		n.cancel()
		return nil, fmt.Errorf("longwire: a node has at most %d event loops; give it an engine with EngineOptions.Loops set", maxHubs)
	}
	for _, l := range group.Loops() {
		n.hubs = append(n.hubs, newHub(n, l))
	}
	heard, failed := make(chan struct{}), make(chan error, 1)
	n.wg.Go(func() { failed <- n.follow(n.ctx, heard) })
	select {
	case <-heard:
	case err := <-failed:
		n.Close(context.Background())
		return nil, fmt.Errorf("longwire: following the broker: %w", cmpErr(err))
	}
	if !n.own {
		n.prefill()
	}
	n.unlisten = group.OnClose(n.takeNobody)
	return n, nil
}

func cmpErr(err error) error {
	if err == nil {
		return errors.New("it ended at once")
	}
	return err
}

func (n *Node) fillOptions() {
	o := &n.opts
	if n.log = o.Log; n.log == nil {
		n.log = slog.Default()
	}
	o.Engine = o.Engine.Or()
	if n.broker = o.Broker; n.broker == nil {
		n.broker, n.own = NewMemory(nil), true
	}
	if o.ResumeWindow == 0 {
		o.ResumeWindow = resumeWindow
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = wire.MaxMessage
	}
	if o.MaxSubscriptions <= 0 {
		o.MaxSubscriptions = maxSubscriptions
	}
	if o.Rate == 0 {
		o.Rate = frameRate
	}
	o.bounds.fill()
	n.recent.most = o.bounds.recent
}

func newHub(n *Node, l *loop.Loop) *hub {
	return &hub{
		node: n, loop: l, readers: map[*Session]struct{}{},
		scratch: make([]byte, 0, 1<<10), framed: make([]byte, 0, 4<<10), window: make([]*event, 0, n.opts.bounds.window),
	}
}

// takeNobody begins the end: no links, publications and bodies are taken any more.
func (n *Node) takeNobody() {
	n.ending.Store(true)
	n.ends()
}

// Close ends the node: no publication is taken or handed out any more, sessions
// that are left end with their links, and a broker of the node's own is closed. Drain, or
// close the engine, before.
func (n *Node) Close(ctx context.Context) error {
	var err error
	n.closed.Do(func() {
		n.takeNobody()
		if n.unlisten != nil {
			n.unlisten()
		}
		n.cancel()
		if n.own {
			err = n.broker.Close(ctx)
		}
		n.wg.Wait()
	})
	return err
}

// Session returns the session with a public id, nil if there is none here.
func (n *Node) Session(id string) *Session {
	t, ok := parseToken(id)
	if !ok {
		return nil
	}
	if s := n.sessions.find(t); s != nil && !s.closed.Load() {
		return s
	}
	return nil
}
