package client

import (
	"cmp"
	"slices"
	"time"
)

// A request is a frame that waits for its answer. Once it was sent and the link
// is gone, nobody knows whether it was done. What happens then is its fate's.
type request struct {
	id    uint64
	frame []byte
	fate  fate
	sent  time.Time // when first; zero: not yet
	// channel is what an unsubscribe is about.
	channel string
	// done is called once: with the answer, which is valid until it returns, with
	// an error, or with neither if a greeting did what the frame was to do. It
	// must not block, and no lock is held.
	done func(*serverFrame, error)
}

// A fate is what becomes of a request whose link died before the answer came.
type fate uint8

const (
	unknown fate = iota // it may have happened: outcome_unknown
	again               // it may be sent as often as one likes
	keyed               // it may be sent again within the server's window for keys
	greeted             // the next greeting says it
)

// What may be under way at once. Past it whoever wants more waits.
const (
	maxRequests     = 1024
	maxRequestBytes = 1 << 20 // or one request, if it is larger
)

// requests are those of a client that wait for their answers. They are guarded
// by the client's mutex.
type requests struct {
	lastID uint64
	queue  []*request          // not sent on this link, in the order of their ids
	sent   map[uint64]*request // sent on this link
	bytes  int                 // of all of them
	freed  chan struct{}       // closed when there is room again; nil while nobody waits for that
}

func (r *requests) room() bool {
	return len(r.queue)+len(r.sent) < maxRequests && r.bytes < maxRequestBytes
}

func (r *requests) nextID() uint64 {
	r.lastID++
	return r.lastID
}

func (r *requests) add(q *request) {
	r.queue = append(r.queue, q)
	r.bytes += len(q.frame)
}

// take moves at most so many requests to those that were sent: as many as go well
// into one write, and at least one.
func (r *requests) take(now time.Time, most int, frames [][]byte) [][]byte {
	size, n := 0, 0
	for _, q := range r.queue[:min(most, len(r.queue))] {
		if size += len(q.frame) + 1; n > 0 && size > maxBatch {
			break
		}
		n++
		if q.sent.IsZero() {
			q.sent = now
		}
		if r.sent == nil {
			r.sent = make(map[uint64]*request)
		}
		r.sent[q.id] = q
		frames = append(frames, q.frame)
	}
	r.queue = slices.Delete(r.queue, 0, n)
	return frames
}

// maxBatch bounds what one write or one POST carries, unless one frame is larger.
const maxBatch = 64 << 10

// answered returns the request that an answer is for, nil if nobody waits for it.
func (r *requests) answered(id uint64) *request {
	q := r.sent[id]
	if q != nil {
		delete(r.sent, id)
		r.gone(q)
	}
	return q
}

// forget takes a request back whose caller has left. It reports whether it was
// not sent and never will be.
func (r *requests) forget(q *request) (unsent bool) {
	if i := slices.Index(r.queue, q); i >= 0 {
		r.queue = slices.Delete(r.queue, i, i+1)
		r.gone(q)
		return q.sent.IsZero()
	}
	if r.sent[q.id] == q {
		delete(r.sent, q.id)
		r.gone(q)
	}
	return false
}

func (r *requests) gone(q *request) {
	r.bytes -= len(q.frame)
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
}

// lost sorts what was under way on a link that is gone: what may be sent again
// is in the queue afterwards, the rest is returned.
func (r *requests) lost() (failed []*request) {
	var back []*request
	for _, q := range r.sent {
		if q.fate == unknown {
			failed = append(failed, q)
		} else {
			back = append(back, q)
		}
	}
	clear(r.sent)
	r.queue = append(back, r.queue...)
	slices.SortFunc(r.queue, byID)
	slices.SortFunc(failed, byID)
	for _, q := range failed {
		r.gone(q)
	}
	return failed
}

func byID(a, b *request) int { return cmp.Compare(a.id, b.id) }

// expired takes out of the queue what was sent so long ago that the server may
// not know its key any more.
func (r *requests) expired(now time.Time, window time.Duration) (failed []*request) {
	return r.drop(func(q *request) bool {
		return q.fate == keyed && !q.sent.IsZero() && now.Sub(q.sent) > window
	})
}

// drop takes out of the queue what f says.
func (r *requests) drop(f func(*request) bool) (dropped []*request) {
	r.queue = slices.DeleteFunc(r.queue, func(q *request) bool {
		if !f(q) {
			return false
		}
		dropped = append(dropped, q)
		r.gone(q)
		return true
	})
	return dropped
}
