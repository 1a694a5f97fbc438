package longwire

import (
	"sync"
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// A hub is what a node keeps on one event loop: the subscriber lists of the
// sessions that live there, and the publications that are to be handed to them.
//
// The node posts publications in the order of their numbers, and the hub hands
// them out in that order: what one link gets from a partition is in partition
// order. Consecutive publications of one list are handed to each subscriber
// together. A fan-out gives way after so many subscribers and keeps its place
// in the list; what is published meanwhile waits behind it.
type hub struct {
	// Immutable.
	node *Node
	loop *loop.Loop

	mu sync.Mutex
	// Guarded by mu; in and bytes are also read, and scheduled is cleared, by the loop.
	in        []entry
	bytes     int         // of in
	scheduled bool        // a task of the hub waits for its loop
	skipped   bool        // in was full: what followed was not put there
	kept      keptEntries // of that

	// Owned by the loop.
	batch   []entry // taken from in
	at, end int     // the run of batch that is being handed out
	joined  []*Message
	marks   *marks // at the horizon; nil with one partition
	horizon uint64 // what concerns the loop up to this number is in batch, or was handed out
	spare   []entry
	frame   wire.Frame // the one that is being taken up
	scratch []byte     // for short-lived frames
	framed  []byte     // and for how they leave
	window  []*event   // a look into the recent window
	takers  []*sub     // of one event
	pinged  pinged
	readers map[*Session]struct{} // those that read only: others are in the registry
}

// An entry is one publication on its way to the subscribers of one list.
type entry struct {
	list   *list
	m      *Message
	number uint64
	e      *event
}

// loose reports whether the number is that of what was before: see event.
func (e *entry) loose() bool { return e.e.loose() }

// bytes is what the entry counts for.
func (e *entry) bytes() int { return len(e.m.data) + entryBytes }

// before is the place in the order before an entry.
func (e *entry) before() uint64 {
	if e.loose() {
		return e.number
	}
	return e.number - 1
}

const (
	runBytes   = 12 << 10 // of a run: below what a link queues, so that one that keeps up takes it
	entryBytes = 64       // what an entry counts for beside its data
	keepBatch  = 16 << 10 // entries of a slice that is kept for reuse
)

// put appends an entry. With mu held.
func (h *hub) put(e entry) {
	more := len(h.in) == 0 || h.in[len(h.in)-1].e == e.e // for another list: none or all
	if n := h.bytes + e.bytes(); !h.skipped && (more || n <= h.node.opts.bounds.inbox) {
		h.bytes = n
		h.in = append(h.in, e)
		return
	}
	h.skipped = true // and all that follows, so that none overtakes
	if e.loose() {
		h.kept.add(h.node, e)
	}
}

// wake sees to it that the hub's task runs.
func (h *hub) wake() {
	h.mu.Lock()
	post := !h.scheduled
	h.scheduled = true
	h.mu.Unlock()
	if post {
		h.loop.PostTask(h)
	}
}

// Run hands out what waits.
func (h *hub) Run(time.Time) {
	for served := 0; ; {
		if h.at == len(h.batch) && !h.take() {
			return
		}
		var done bool
		if served, done = h.hand(served); !done {
			h.loop.PostTask(h) // scheduled still: nobody else posts it
			return
		}
		h.at = h.end
	}
}

// take takes the next batch. Behind one at whose end publications were skipped all fall behind.
func (h *hub) take() bool {
	posted := h.node.frontier() // first: what was posted by then is in the queue
	h.mu.Lock()
	in, behind, kept := h.in, false, keptEntries{}
	h.in, h.bytes = h.spare, 0
	h.scheduled = len(in) > 0
	if h.skipped && len(in) == 0 {
		behind, kept = true, h.kept
		h.skipped, h.kept = false, keptEntries{}
	}
	skipped := h.skipped
	h.mu.Unlock()
	h.spare = nil
	if cap(h.batch) <= keepBatch {
		clear(h.batch)
		h.spare = h.batch[:0]
	}
	h.batch, h.at, h.end = in, 0, 0
	if behind {
		h.node.fallBehind(h) // what was skipped is in history
		kept.spread()
	}
	if n := len(in); n > 0 && (skipped || in[n-1].number > posted.number) {
		posted = frontier{in[n-1].number, in[n-1].e.marks}
	}
	h.reach(posted)
	return len(in) > 0
}

// hand gives the current run to its subscribers, or begins the next one. It
// reports how many were served, and whether the run is done.
func (h *hub) hand(served int) (int, bool) {
	l := h.batch[h.at].list
	if h.end <= h.at {
		h.begin(l)
	}
	for int(l.next) < len(l.subs) {
		if served == h.node.opts.bounds.turn {
			return served, false
		}
		s := l.subs[l.next]
		l.next++
		if s.deliver(h.at, h.end, h.joined) {
			served++
		}
	}
	l.next = 0
	clear(h.joined)
	h.joined = h.joined[:0]
	return served, true
}

// begin finds the run of l's entries that begins at h.at. Several together are
// joined, so that they are framed once and copied never.
func (h *hub) begin(l *list) {
	bytes := 0
	for h.end = h.at; h.end < len(h.batch) && h.batch[h.end].list == l; h.end++ {
		n := h.batch[h.end].bytes()
		if h.end > h.at && bytes+n > runBytes {
			break
		}
		bytes += n
	}
	if h.end-h.at > 1 && len(l.subs) > 1 {
		h.joined = append(h.joined, joinMessages(h.batch[h.at:h.end]))
	}
}

// idle reports whether nothing is being handed out: then every live session
// stands at the horizon.
func (h *hub) idle() bool { return h.at == len(h.batch) }

// look notes that a hub with nothing to hand out has nothing of all that was
// posted: what is published to others moves its sessions on as well, so that their
// positions do not grow old.
func (h *hub) look() {
	if !h.idle() {
		return
	}
	posted := h.node.frontier() // first: what was posted by then is in the queue
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.in) == 0 && !h.skipped {
		h.reach(posted)
	}
}

// reach moves the horizon.
func (h *hub) reach(to frontier) {
	if to.number >= h.horizon {
		h.horizon, h.marks = to.number, to.marks
	}
}

// awaits returns the live subscription of a session that an entry of the batch is yet
// to be handed to, nil if there is none. Those of the run that is being handed out have
// it when their turn begins.
func (h *hub) awaits(s *Session, i int) *sub {
	e := &h.batch[i]
	t := s.find(e.list.topic.name)
	if t == nil || t.list != e.list || e.loose() || t.catches() || t.after >= e.number || i < h.end && t.index < e.list.next {
		return nil
	}
	return t
}

// had returns the number up to which all live subscriptions of a session were handed
// everything that they are to get: to before the first entry that is yet to come.
func (h *hub) had(s *Session) uint64 {
	for i := h.at; i < len(h.batch); i++ {
		if h.awaits(s, i) != nil {
			return h.batch[i].number - 1
		}
	}
	n := ^uint64(0)
	for _, t := range s.subs {
		if !t.catches() {
			n = min(n, max(t.after, h.horizon))
		}
	}
	return n
}

// passBy has all live subscriptions of a session catch up, each from before the first
// entry of the batch that is yet to come to it. One pass finds them all: a session may
// have a thousand.
func (h *hub) passBy(s *Session) {
	for i := h.at; i < len(h.batch) && s.more.catching() < len(s.subs); i++ {
		if t := h.awaits(s, i); t != nil {
			s.catch(t, h.batch[i].number-1)
		}
	}
	for _, t := range s.subs {
		if !t.catches() {
			s.catch(t, max(t.after, h.horizon))
		}
	}
}

// ahead hands a session what waits for it in the batch before its turn, so that
// it stands at the horizon with all its subscriptions.
func (h *hub) ahead(s *Session) {
	if h.idle() || s.line == nil {
		return
	}
	for i := h.at; i < len(h.batch) && s.more.catching() == 0; i++ {
		if t := h.awaits(s, i); t != nil {
			t.deliver(i, i+1, nil)
			if !t.catches() {
				t.after = max(t.after, h.batch[i].number)
			}
		}
	}
	if s.more.catching() > 0 {
		return // it fell behind, and knows where it stands
	}
	for _, t := range s.subs {
		t.after = max(t.after, h.horizon)
	}
}

// restart ends all links, and forgets what was to be handed out: the order of numbers has begun again.
func (h *hub) restart() {
	h.mu.Lock()
	h.in, h.bytes, h.skipped, h.kept = nil, 0, false, keptEntries{}
	h.mu.Unlock()
	h.batch, h.at, h.end, h.joined = nil, 0, 0, nil
	h.horizon = 0
	h.reach(h.node.frontier())
	for _, s := range h.sessions() {
		if l := s.line; l != nil {
			s.leaveLine()
			l.close(h.node.startedAgain())
			s.lost(h.loop.Now(), &Close{Code: wire.CodeUnavailable})
		}
		for _, t := range s.subs {
			t.after = h.horizon
		}
	}
}

// sessions lists all that live on the hub's loop, and those that only read.
func (h *hub) sessions() []*Session {
	list := make([]*Session, 0, len(h.readers))
	for s := range h.readers {
		list = append(list, s)
	}
	for s := range h.node.sessions.all() {
		if s.hub == h {
			list = append(list, s)
		}
	}
	return list
}
