package server

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire"
)

// A room is the channels of one process, in memory and without history: what
// is published reaches those who are subscribed at that moment, at most once.
//
// Everybody may publish and subscribe at any time, from any goroutine. Each
// channel has a queue of what happens to it; whoever finds it idle starts a
// goroutine that works the queue off and ends. That goroutine alone touches the
// list of subscribers, so all of them see the same order, and no lock is held
// while messages are handed out. A message is made once and shared by all
// links, which frame it once for each transport.
//
// A subscriber whose connection has no room misses messages, and nobody waits
// for it; see subscription.
type room struct {
	seed    maphash.Seed
	shards  [64]shard
	last    atomic.Uint64 // the number of the last publication in any channel
	runners sync.WaitGroup
}

// A shard is the channels of one hash, and the lock for all that is quick.
type shard struct {
	mu       sync.Mutex
	channels map[string]*channel // those with subscribers, or with something in their queue
}

// What may wait in a channel's queue before publishers wait too. They wait
// for processor time only: handing out never blocks.
const (
	maxQueued      = 256
	maxQueuedBytes = 4 << 20
)

type channel struct {
	name  string
	shard *shard

	// Guarded by shard.mu.
	queue   []event
	bytes   int // of publications in queue
	count   int // subscribers, once the queue is worked off
	running bool
	room    sync.Cond // a publisher waits for the queue

	// Owned by the goroutine that works off the queue.
	subscribers []*subscription
	spare       []event
}

// An event is one thing that happens to a channel: somebody joins or leaves, or
// else there is a publication.
type event struct {
	join, leave *subscription
	number      uint64
	time        time.Time
	data        []byte // `"data":…`, ready for the frame
}

func newRoom() *room {
	r := &room{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].channels = map[string]*channel{}
	}
	return r
}

func (r *room) shard(name string) *shard {
	return &r.shards[maphash.String(r.seed, name)%uint64(len(r.shards))]
}

// publish gives a channel a publication, as appendData made it, and returns its
// number and how many subscribe at that moment.
func (r *room) publish(now time.Time, name string, data []byte) (number uint64, subscribers int) {
	s := r.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[name]
	for ch != nil && (len(ch.queue) >= maxQueued || ch.bytes >= maxQueuedBytes) {
		ch.room.Wait()
		ch = s.channels[name] // it may have ended meanwhile
	}
	number = r.last.Add(1)
	if ch == nil {
		return number, 0
	}
	ch.bytes += len(data)
	r.add(ch, event{number: number, time: now, data: data})
	return number, ch.count
}

// subscribe adds a subscriber, which hears everything after the number that is
// returned. If held it hears nothing before release is called.
func (r *room) subscribe(name string, to *outlet, held bool) (sub *subscription, number uint64) {
	s := r.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[name]
	if ch == nil {
		ch = &channel{name: name, shard: s}
		ch.room.L = &s.mu
		s.channels[name] = ch
	}
	number = r.last.Load()
	sub = &subscription{channel: ch, to: to, goroutines: &r.runners, sent: number}
	if held {
		sub.behind = &backlog{}
	}
	ch.count++
	r.add(ch, event{join: sub})
	return sub, number
}

// unsubscribe removes a subscriber, once.
func (r *room) unsubscribe(sub *subscription) {
	sub.mute()
	ch := sub.channel
	ch.shard.mu.Lock()
	defer ch.shard.mu.Unlock()
	ch.count--
	r.add(ch, event{leave: sub})
}

// add puts an event into the queue, and sees to it that it is worked off.
// With the shard's lock held.
func (r *room) add(ch *channel, e event) {
	ch.queue = append(ch.queue, e)
	if !ch.running {
		ch.running = true
		r.runners.Go(ch.run) // wait waits for it
	}
}

// wait returns when all queues are worked off and all subscribers' connections
// are closed or have caught up. Nothing may be added any more.
func (r *room) wait() { r.runners.Wait() }

// run works off the queue until it is empty. A channel that nobody subscribes
// to is forgotten.
func (ch *channel) run() {
	for {
		ch.shard.mu.Lock()
		batch := ch.queue
		ch.queue, ch.spare, ch.bytes = ch.spare[:0], nil, 0
		ch.room.Broadcast()
		if len(batch) == 0 {
			ch.running = false
			if ch.count == 0 {
				delete(ch.shard.channels, ch.name)
			}
			ch.shard.mu.Unlock()
			return
		}
		ch.shard.mu.Unlock()
		for i := range batch {
			ch.handle(&batch[i])
		}
		clear(batch)
		ch.spare = batch
	}
}

func (ch *channel) handle(e *event) {
	switch {
	case e.join != nil:
		e.join.index = len(ch.subscribers)
		ch.subscribers = append(ch.subscribers, e.join)
	case e.leave != nil:
		end := len(ch.subscribers) - 1
		moved := ch.subscribers[end]
		ch.subscribers[e.leave.index], moved.index = moved, e.leave.index
		ch.subscribers[end] = nil
		ch.subscribers = ch.subscribers[:end]
	default:
		m := longwire.NewMessage(longwire.JSON, appendMessage(nil, ch.name, e.number, e.data, e.time))
		for _, sub := range ch.subscribers {
			sub.send(m, e.number)
		}
	}
}
