package loop

import "slices"

// What a socket is owed waits in a queue of segments. Bytes that a caller
// lends (a frame shared by many links) are kept by reference; bytes that a
// caller may use again are copied behind one another into segments that the
// loop owns. A queue exists only while something waits, so an idle socket has
// none.

const (
	maxSegBytes  = 64 << 10 // an owned segment grows no further than this
	copyBelow    = 1 << 10  // a lent frame behind another is copied below this: cheaper than an iovec
	poolBytes    = 1 << 19  // what a loop keeps of emptied segments of one size
	pooledQueues = 1024     // and of emptied queues
)

// segSizes are the sizes of owned segments; one that grows moves to the next.
// They are sizes that Go allocates, and no powers of two: a turn fills the
// beginnings of hundreds of segments, and at distances of 4 KiB those would
// all compete for the same few lines of the cache.
var segSizes = [...]int{576, 2304, 9472, maxSegBytes}

type seg struct {
	b   []byte
	own bool // from the loop's pool, and returned to it
}

type queue struct {
	segs []seg
	head int // first segment that is not all written
	n    int // bytes
}

// A bufPool keeps emptied queues and segments of one loop for reuse.
type bufPool struct {
	queues []*queue
	segs   [len(segSizes)][][]byte
}

func (p *bufPool) queue() *queue {
	if n := len(p.queues); n > 0 {
		q := p.queues[n-1]
		p.queues = p.queues[:n-1]
		return q
	}
	return &queue{}
}

func (p *bufPool) freeQueue(q *queue) {
	for i := q.head; i < len(q.segs); i++ {
		p.freeSeg(&q.segs[i])
	}
	q.segs, q.head, q.n = q.segs[:0], 0, 0
	if len(p.queues) < pooledQueues && cap(q.segs) <= 64 {
		p.queues = append(p.queues, q)
	}
}

// buf returns an empty segment with room for n bytes.
func (p *bufPool) buf(n int) []byte {
	for i, size := range segSizes {
		if n > size {
			continue
		}
		if k := len(p.segs[i]); k > 0 {
			b := p.segs[i][k-1]
			p.segs[i] = p.segs[i][:k-1]
			return b
		}
		return make([]byte, 0, size)
	}
	return make([]byte, 0, n)
}

func (p *bufPool) freeBuf(b []byte) {
	for i, size := range segSizes {
		if cap(b) == size && len(p.segs[i]) < poolBytes/size {
			p.segs[i] = append(p.segs[i], b[:0])
			return
		}
	}
}

func (p *bufPool) freeSeg(s *seg) {
	if s.own {
		p.freeBuf(s.b)
	}
	*s = seg{}
}

// tail returns the owned segment at the end of q, with room for n more bytes.
func (q *queue) tail(p *bufPool, n int) *seg {
	if k := len(q.segs); k > q.head {
		if s := &q.segs[k-1]; s.own && len(s.b)+n <= max(cap(s.b), maxSegBytes) {
			if len(s.b)+n > cap(s.b) {
				old := s.b
				s.b = append(p.buf(len(old)+n), old...)
				p.freeBuf(old)
			}
			return s
		}
	}
	q.segs = append(q.segs, seg{b: p.buf(n), own: true})
	return &q.segs[len(q.segs)-1]
}

func (q *queue) copyIn(p *bufPool, b []byte) {
	if len(b) == 0 {
		return
	}
	s := q.tail(p, len(b))
	s.b = append(s.b, b...)
	q.n += len(b)
}

// lend queues b by reference.
func (q *queue) lend(p *bufPool, b []byte) {
	if len(b) < copyBelow && q.n > 0 {
		q.copyIn(p, b)
		return
	}
	if len(b) > 0 {
		q.segs = append(q.segs, seg{b: b})
		q.n += len(b)
	}
}

// wrote drops the first n bytes.
func (q *queue) wrote(p *bufPool, n int) {
	q.n -= n
	for n > 0 && n >= len(q.segs[q.head].b) {
		s := &q.segs[q.head]
		n -= len(s.b)
		p.freeSeg(s)
		q.head++
	}
	if n > 0 {
		q.segs[q.head].drop(n)
	}
	if 2*q.head >= len(q.segs) { // also for a queue that is never empty
		q.segs, q.head = slices.Delete(q.segs, 0, q.head), 0
	}
}

// drop drops the first n bytes, but not all.
func (s *seg) drop(n int) {
	if s.own && cap(s.b) <= maxSegBytes {
		s.b = s.b[:copy(s.b, s.b[n:])] // keep the start, so that the whole segment returns to the pool
	} else {
		s.b, s.own = s.b[n:], false // too long to move, and for the pool
	}
}
