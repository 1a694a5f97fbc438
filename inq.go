package longwire

import (
	"sync"

	"github.com/longwire/longwire/wire"
)

// An inq is the messages that wait for a Conn's handler, or are with it.
type inq struct {
	buf   []byte
	items []item
	next  int // the first item that the handler has not had
	begin int // where its bytes begin
}

type item struct {
	kind Kind
	n    int
}

var inqs = sync.Pool{New: func() any { return new(inq) }}

func (q *inq) free() {
	if cap(q.buf) > maxPooled {
		return
	}
	*q = inq{buf: q.buf[:0], items: q.items[:0]}
	inqs.Put(q)
}

func (q *inq) empty() bool { return q.next == len(q.items) }

func (q *inq) full() bool {
	return len(q.items)-q.next >= maxMessages || len(q.buf)-q.begin >= maxIncoming
}

// low is where a peer that was held back is read again: half of full, so that
// it is not stopped and started with every message.
func (q *inq) low() bool {
	return len(q.items)-q.next <= maxMessages/2 && len(q.buf)-q.begin <= maxIncoming/2
}

func (q *inq) put(kind Kind, p []byte) {
	if len(q.buf)+len(p) > cap(q.buf) && q.begin > 0 {
		// New memory instead of moving bytes: the handler may be reading the old.
		live := q.buf[q.begin:]
		q.buf = append(make([]byte, 0, max(2*(len(live)+len(p)), 4<<10)), live...)
		q.begin = 0
	}
	if len(q.items) == cap(q.items) && q.next > 0 { // not with the above: messages may be empty
		q.items = q.items[:copy(q.items, q.items[q.next:])]
		q.next = 0
	}
	q.buf = append(q.buf, p...)
	q.items = append(q.items, item{kind, len(p)})
}

func (q *inq) take() (Kind, []byte) {
	it := q.items[q.next]
	p := q.buf[q.begin : q.begin+it.n : q.begin+it.n]
	q.next++
	q.begin += it.n
	return it.kind, p
}

// enqueue gives the handlers' goroutine a message. On the loop.
func (c *Conn) enqueue(kind Kind, p []byte) {
	c.mu.Lock()
	if c.flags&cDeaf != 0 {
		c.mu.Unlock()
		return
	}
	if c.in == nil {
		c.in = inqs.Get().(*inq)
	}
	c.in.put(kind, p)
	if c.flags&cFull == 0 {
		c.start()
	}
	if !c.in.full() {
		c.mu.Unlock()
		return
	}
	c.pace()
}

// start starts the handlers' goroutine unless it runs. With mu held.
func (c *Conn) start() {
	if c.flags&cRunning == 0 {
		c.flags |= cRunning
		c.link.Loop().Go((*connWork)(c))
	}
}

// connWork is the crew's face of a Conn.
type connWork Conn

func (w *connWork) Work() { (*Conn)(w).work() }

// work calls the handlers for as long as there is work, and room for answers.
func (c *Conn) work() {
	c.mu.Lock()
	if c.flags&cOpening != 0 {
		c.flags &^= cOpening
		c.mu.Unlock()
		err := c.callOpen()
		c.mu.Lock()
		if err != nil {
			c.flags |= cTold
			c.mu.Unlock()
			c.closeWith(CloseOf(err, wire.CodeForbidden))
			c.mu.Lock()
		}
	}
	for c.in != nil && (c.flags&cFull == 0 && c.bytes < maxPending || c.flags&cGone != 0) {
		if c.in.empty() || c.flags&cDeaf != 0 {
			c.in.free()
			c.in = nil
			break
		}
		kind, p := c.in.take()
		c.mu.Unlock()
		c.callMessage(kind, p)
		c.mu.Lock()
		if c.flags&(cPaused|cPosted|cGone) == cPaused && c.in.low() {
			c.owe(0) // have the loop read the peer again
			c.mu.Lock()
		}
	}
	last := c.flags&(cGone|cTold) == cGone && c.in == nil
	if last {
		c.flags |= cTold
	}
	ended := c.flags&(cGone|cEnded) == cEnded && c.in == nil
	c.flags &^= cRunning
	c.mu.Unlock()
	switch {
	case last:
		c.callClose()
	case ended:
		c.closeWith(&Close{Remote: true})
	}
}
