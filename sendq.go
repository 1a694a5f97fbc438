package longwire

import "sync"

// A sendq is what goroutines have sent on a Conn and its loop has not yet
// taken: framed bytes, with shared messages at marked places between them.
type sendq struct {
	buf   []byte
	marks []mark
	done  int // marks that the link has taken
	pos   int // bytes of buf that it has taken
}

// A mark says that m comes after the first at bytes.
type mark struct {
	at int
	m  *Message
}

// maxPooled bounds the memory of a queue that is kept for reuse.
const maxPooled = 64 << 10

var sendqs = sync.Pool{New: func() any { return new(sendq) }}

func (q *sendq) free() {
	if cap(q.buf) > maxPooled {
		return
	}
	clear(q.marks)
	*q = sendq{buf: q.buf[:0], marks: q.marks[:0]}
	sendqs.Put(q)
}

// send hands l everything in order, and remembers how far it came. The last
// words of a connection are sent even if the link is full.
func (q *sendq) send(l framed, last bool) error {
	for q.done < len(q.marks) {
		k := q.marks[q.done]
		if err := q.sendBytes(l, k.at, last); err != nil {
			return err
		}
		var err error
		if last {
			_, err = l.SendFramed(k.m.Frame(l.Form()), true)
		} else {
			_, err = l.Send(k.m)
		}
		if err != nil {
			return err
		}
		q.done++
	}
	return q.sendBytes(l, len(q.buf), last)
}

func (q *sendq) sendBytes(l framed, end int, last bool) error {
	if end == q.pos {
		return nil
	}
	if _, err := l.SendFramed(q.buf[q.pos:end], last); err != nil {
		return err
	}
	q.pos = end
	return nil
}

// add appends what o holds.
func (q *sendq) add(o *sendq) {
	n := len(q.buf)
	q.buf = append(q.buf, o.buf...)
	for _, k := range o.marks {
		q.marks = append(q.marks, mark{n + k.at, k.m})
	}
}

// size returns the bytes not yet taken.
func (q *sendq) size() int {
	n := len(q.buf) - q.pos
	for _, k := range q.marks[q.done:] {
		n += k.m.cost()
	}
	return n
}
