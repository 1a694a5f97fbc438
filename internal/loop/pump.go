package loop

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A pump serves one connection that no epoll can watch: a goroutine that
// reads it, and one that writes while there is something to write. Both hand
// over to the loop by tasks, one read and one write at a time, so memory is
// bounded as it is with a descriptor.
type pump struct {
	conn    net.Conn
	sock    *Sock // touched on its loop only
	readers sync.WaitGroup

	mu      sync.Mutex
	taken   sync.Cond // got is empty, or nothing is being written, or closed, or leaving
	loop    *Loop     // where to post; nil between two loops
	begun   bool      // the reader runs
	got     []byte    // read and not yet taken
	rerr    error     // what ended reading
	wbuf    []byte
	writing bool
	werr    error // what ended writing
	closed  bool
	leaving bool // the reader ends, the connection stays
}

const (
	pumpReadBytes  = 4 << 10
	pumpWriteBytes = 16 << 10
)

func newPump(s *Sock, conn net.Conn) *pump {
	p := &pump{conn: conn, sock: s}
	p.taken.L = &p.mu
	return p
}

// attach tells the pump its loop, or that it has none for now, and starts reading.
func (p *pump) attach(l *Loop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loop = l
	if !p.begun {
		p.begun = true
		p.readers.Add(1)
		l.group.wg.Go(p.read)
	}
}

// tell posts an event to the socket's loop. If the socket has moved on by the
// time it runs, nothing is lost: its new loop looks by itself when it arrives.
func (p *pump) tell(ev int) {
	p.mu.Lock()
	l := p.loop
	p.mu.Unlock()
	if l == nil {
		return
	}
	l.must(taskFunc(func(time.Time) {
		p.mu.Lock()
		here := p.loop == l && !p.closed && !p.leaving
		p.mu.Unlock()
		if here {
			p.sock.happened(ev)
		}
	}))
}

func (p *pump) read() {
	defer p.readers.Done()
	buf := make([]byte, pumpReadBytes)
	for {
		n, err := p.conn.Read(buf)
		if errors.Is(err, io.EOF) {
			err = p.endOf(err)
		}
		p.mu.Lock()
		p.got, p.rerr = buf[:n], err
		p.mu.Unlock()
		switch {
		case err == nil:
			p.tell(evRead)
		case errors.Is(err, io.EOF):
			p.tell(evRead | evEnd)
			return
		default:
			p.tell(evRead | evFail)
			return
		}
		p.mu.Lock()
		for len(p.got) > 0 && !p.closed && !p.leaving {
			p.taken.Wait()
		}
		stop := p.closed || p.leaving
		p.mu.Unlock()
		if stop {
			return
		}
	}
}

// endOf returns what ended reading: end, or what a write met with. The kernel
// tells of a reset once: if a write hears of it, a read finds an orderly end.
// So one that is under way is waited for, though not for long, because the
// peer of a write that is stuck may have finished in order.
func (p *pump) endOf(end error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	late := false
	if p.writing {
		t := time.AfterFunc(resetGrace, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			late = true
			p.taken.Signal()
		})
		defer t.Stop()
	}
	for p.writing && !late && !p.closed && !p.leaving {
		p.taken.Wait()
	}
	if p.werr != nil {
		return p.werr
	}
	return end
}

// resetGrace is ample for a goroutine to come back from a system call that has
// failed already.
const resetGrace = 50 * time.Millisecond

func (p *pump) recv(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 {
		if p.rerr != nil {
			return 0, p.rerr
		}
		return 0, errAgain
	}
	n := copy(b, p.got)
	p.got = p.got[n:]
	if len(p.got) == 0 {
		p.taken.Signal()
	}
	return n, nil
}

// failure returns what broke the connection. The socket is told evFail first.
func (p *pump) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rerr
}

func (p *pump) send(q *queue) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.werr != nil {
		return 0, p.werr
	}
	if p.writing {
		return 0, errAgain
	}
	b := make([]byte, 0, min(q.n, pumpWriteBytes)) // gone with the write: an idle connection has no buffer
	for _, s := range q.segs[q.head:] {
		b = append(b, s.b[:min(len(s.b), cap(b)-len(b))]...)
	}
	p.wbuf, p.writing = b, true
	p.sock.loop.group.wg.Go(p.write)
	if len(b) < q.n {
		return len(b), errAgain
	}
	return len(b), nil
}

func (p *pump) write() {
	_, err := p.conn.Write(p.wbuf)
	p.mu.Lock()
	p.werr = err
	p.writing, p.wbuf = false, nil
	p.taken.Signal()
	p.mu.Unlock()
	p.tell(evWrite)
}

// busy reports whether bytes that the socket is rid of are still being written.
func (p *pump) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writing
}

// shut finishes writing. On a goroutine, because TLS has something to write then.
func (p *pump) shut() {
	p.sock.loop.group.wg.Go(func() {
		if c, ok := p.conn.(interface{ CloseWrite() error }); ok {
			c.CloseWrite()
		} else {
			p.conn.Close()
		}
	})
}

// close closes the connection; on a goroutine if there is a loop that must not
// wait for it.
func (p *pump) close() {
	p.mu.Lock()
	p.closed = true
	p.taken.Signal()
	begun := p.begun
	p.mu.Unlock()
	if begun {
		p.sock.loop.group.wg.Go(func() { p.conn.Close() })
	} else {
		p.conn.Close()
	}
}

// regain stops the reader and returns the connection with what it had read.
// Nothing is being written any more. That the peer has finished writing, the
// next owner will see.
func (p *pump) regain() (net.Conn, []byte, error) {
	p.mu.Lock()
	p.leaving = true
	p.taken.Signal()
	p.mu.Unlock()
	p.conn.SetReadDeadline(time.Unix(1, 0)) // ends a Read that waits
	p.readers.Wait()
	p.conn.SetReadDeadline(time.Time{})
	if p.werr != nil {
		return nil, nil, p.werr
	}
	if p.rerr != nil && !errors.Is(p.rerr, os.ErrDeadlineExceeded) && !errors.Is(p.rerr, io.EOF) {
		return nil, nil, p.rerr
	}
	return p.conn, p.got, nil
}
