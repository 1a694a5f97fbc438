//go:build linux

package main

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/broker/jetstream"
	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/transport/ws"
)

// longwire-files keeps history as the binary does by default: in files, by the broker broker/jetstream, with its
// defaults. Beside serving it counts what the workloads want to know.
func init() {
	Register(Server{
		Name: "longwire-files", Start: startFiles, Speaks: &sessionWS,
		Workloads: []string{FilesIdleWS, FilesLatency, FilesStart, FilesResume, FilesSlow},
	})
	Register(Server{Name: "longwire-files", Workloads: []string{FilesIdleTCP}, Start: startFiles, Speaks: &sessionLines})
	Register(Server{Name: "longwire", Workloads: []string{FilesLatency}, Start: startNodeHTTP, Speaks: &sessionWS})
}

func startFiles(o *Options) (r *Running, err error) {
	dir, stop := o.Dir, func() {}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "rivals-"); err != nil {
			return nil, err
		}
		stop = func() { _ = os.RemoveAll(dir) }
	}
	began := time.Now()
	broker, err := jetstream.Open(context.Background(), &jetstream.Options{Dir: dir, Classes: []longwire.Class{{Name: "default", Count: o.History}}})
	if err != nil {
		return nil, err
	}
	counted := &countedBroker{Broker: broker}
	opened := time.Now()
	engine, err := longwire.NewEngine(nil)
	if err != nil {
		return nil, err
	}
	node, err := longwire.New(&longwire.Options{Open: true, Rate: -1, Broker: counted, Engine: engine})
	if err != nil {
		return nil, err
	}
	ready := time.Now()
	var queues queues
	ln, err := longwire.Listen(context.Background(), o.Addr)
	if err != nil {
		return nil, err
	}
	switch door := watchQueues(engine.Loops().Loops(), node, &queues); o.Workload {
	case FilesIdleTCP:
		s := tcp.Session(node)
		go func() { _ = s.Serve(ln) }() // until the process ends
	case FilesSlow:
		go func() { _ = http.Serve(ln, &ws.Handler{Acceptor: door, Engine: engine}) }() // until the process ends
	default:
		go func() { _ = http.Serve(ln, node.Handler(ws.Way, stream.Way)) }() // until the process ends
	}
	return &Running{
		Stop: stop,
		Fill: counted.fill,
		Tell: func(r *reply) {
			r.OpenMillis, r.NodeMillis = opened.Sub(began).Milliseconds(), ready.Sub(opened).Milliseconds()
			r.Reads, r.Last = counted.reads.Load(), counted.last.Load()
			r.Queued, r.Refused = queues.most.Load(), queues.refused.Load()
		},
	}, nil
}

// A countedBroker counts what is asked of a broker.
type countedBroker struct {
	*jetstream.Broker
	reads atomic.Int64  // by the node
	last  atomic.Uint64 // the number of the last publication
}

func (b *countedBroker) Read(ctx context.Context, r *longwire.Range) iter.Seq2[*longwire.Publication, error] {
	b.reads.Add(1)
	return b.Broker.Read(ctx, r)
}

func (b *countedBroker) Follow(ctx context.Context, sink func(longwire.Feed)) error {
	return b.Broker.Follow(ctx, func(f longwire.Feed) {
		b.last.Store(f.Last)
		sink(f)
	})
}

// fillUnderWay is how many publications wait for their acknowledgements at once.
const fillUnderWay = 4000

// fill publishes to each channel in turn, n publications in all, and waits until they are acknowledged.
func (b *countedBroker) fill(n, channels, size int) error {
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	room := make(chan struct{}, fillUnderWay)
	for i := range n {
		room <- struct{}{}
		wg.Add(1)
		p := &longwire.Publication{Channel: channelName(i % channels), Kind: longwire.Text, Data: numbered(i/channels, size)}
		b.Publish(p, func(_ *longwire.Publication, err error) {
			if err != nil {
				failed.Store(&err)
			}
			<-room
			wg.Done()
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return fmt.Errorf("filling: %w", *err)
	}
	return nil
}

// queues knows how much waits for links beyond the kernel's own buffers.
type queues struct {
	most    atomic.Int64 // bytes that waited for one
	refused atomic.Int64 // messages for which there was no room
}

func (q *queues) saw(waiting int, err error) (int, error) {
	for most := q.most.Load(); int64(waiting) > most && !q.most.CompareAndSwap(most, int64(waiting)); most = q.most.Load() {
	}
	if err != nil {
		q.refused.Add(1)
	}
	return waiting, err
}

// watchQueues puts itself between links and a node. The loops only tell the type that links name theirs by.
func watchQueues[L any](_ []L, a longwire.Acceptor, q *queues) longwire.Acceptor {
	return watch[L]{a, q}
}

type watch[L any] struct {
	longwire.Acceptor
	queues *queues
}

func (w watch[L]) Accept(now time.Time, l longwire.Link) (longwire.Receiver, error) {
	return w.Acceptor.Accept(now, watched[L]{l.(framed[L]), w.queues}) // links of longwire are that
}

// framed is what a node wants of a link.
type framed[L any] interface {
	longwire.Link
	Loop() L
	Form() *longwire.Form
	SendFramed(b []byte, last bool) (waiting int, err error)
}

type watched[L any] struct {
	framed[L]
	queues *queues
}

func (l watched[L]) Send(m *longwire.Message) (int, error) { return l.queues.saw(l.framed.Send(m)) }

func (l watched[L]) SendFramed(b []byte, last bool) (int, error) {
	return l.queues.saw(l.framed.SendFramed(b, last))
}
