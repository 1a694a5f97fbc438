package stream

import (
	"bytes"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// What a client posts is brought to the link's loop and told to the receiver
// there, bodies in the order in which they were complete. While the receiver
// has paused the link they wait; the request waits with its body, for as long
// as none of its messages was told.

const (
	maxWaiting      = wire.MaxQueuedIn      // bodies that may wait
	maxWaitingBytes = wire.MaxQueuedInBytes // or bytes, if they are more than one body

	// A body of a million tiny lines is told in parts, so that it does not hold
	// up the loop.
	turnMessages = 256
)

// waiting is the bodies that are not all told. Nil is none.
type waiting struct {
	list  []*delivery
	bytes int
}

// A delivery is one body on its way. It is owned by the loop once posted.
type delivery struct {
	l     *link
	kind  longwire.Kind
	lines bool   // body is elements, one on each line
	raw   bool   // or frames, of kind: nobody has looked at them
	body  []byte // what is not told yet
	size  int
	begun bool
	// done gets the answer once, and has room for it: empty means taken over.
	done chan wire.Code
}

// Run takes the body on.
func (d *delivery) Run(now time.Time) {
	l := d.l
	switch {
	case l.state&closing != 0:
		d.done <- wire.CodeNotFound
		return
	case l.up == nil:
		l.up = &waiting{}
	case len(l.up.list) >= maxWaiting || len(l.up.list) > 0 && l.up.bytes+d.size > maxWaitingBytes:
		d.done <- wire.CodeRateLimited
		return
	}
	l.up.list = append(l.up.list, d)
	l.up.bytes += d.size
	l.deliver(now)
}

// deliver tells the receiver what waits, while it listens.
func (l *link) deliver(now time.Time) {
	for n := 0; l.up != nil && l.state&(paused|closing) == 0; n++ {
		if n == turnMessages {
			l.resume()
			return
		}
		d := l.up.list[0]
		if !d.begun {
			d.begun = true
			d.done <- ""
		}
		kind, p, ok := d.next()
		if len(d.body) == 0 {
			l.up.remove(0)
			if len(l.up.list) == 0 {
				l.up = nil
			}
		}
		if ok {
			l.recv.Receive(now, kind, p)
		}
	}
}

func (u *waiting) remove(i int) {
	u.bytes -= u.list[i].size
	u.list = append(u.list[:i], u.list[i+1:]...)
}

// drop answers those who wait for a link that ends.
func (u *waiting) drop(l *link) {
	if u == nil {
		return
	}
	l.up = nil
	for _, d := range u.list {
		if !d.begun {
			d.done <- wire.CodeNotFound
		}
	}
}

// next takes the next message from the body, which was checked unless it is
// raw. The last line may be empty: then there is none.
func (d *delivery) next() (longwire.Kind, []byte, bool) {
	if !d.lines {
		p := d.body
		d.body = nil
		return d.kind, p, true
	}
	for len(d.body) > 0 {
		line := d.line()
		switch {
		case len(line) == 0:
		case d.raw:
			return d.kind, line, true
		default:
			kind, p, err := parseElement(line)
			return kind, p, err == nil
		}
	}
	return 0, nil, false
}

func (d *delivery) line() []byte {
	line, rest, _ := bytes.Cut(d.body, newline)
	d.body = rest
	return bytes.TrimSpace(line)
}

var newline = []byte{'\n'}

// Pause makes bodies wait, or goes on with them.
func (l *link) Pause(on bool) {
	if on {
		l.state |= paused
		return
	}
	l.state &^= paused
	if l.up != nil {
		l.resume()
	}
}

// resume goes on by a task: not from inside the receiver's own call.
func (l *link) resume() {
	if l.state&resuming == 0 {
		l.state |= resuming
		l.loop.PostTask((*resumeTask)(l))
	}
}

type resumeTask link

func (t *resumeTask) Run(now time.Time) {
	t.state &^= resuming
	(*link)(t).deliver(now)
}

// withdrawTask takes back a body of which nothing was told yet.
type withdrawTask delivery

func (t *withdrawTask) Run(time.Time) {
	d := (*delivery)(t)
	u := d.l.up
	if d.begun || u == nil {
		return // it was answered
	}
	for i, o := range u.list {
		if o == d {
			u.remove(i)
			d.done <- wire.CodeRateLimited
			break
		}
	}
	if len(u.list) == 0 {
		d.l.up = nil
	}
}
