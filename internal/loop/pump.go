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
	conn net.Conn
	sock *Sock
	next chan struct{} // tells the reader that its bytes were taken

	mu      sync.Mutex
	loop    *Loop  // where to post: changes with Move
	got     []byte // read and not yet taken
	rerr    error  // what ended reading
	wbuf    []byte
	writing bool
	werr    error // what ended writing
	shutReq bool  // shut down once the write is done
	closed  bool
	stop    bool           // regain: the reader ends, the connection stays
	running sync.WaitGroup // the reader, and a write: regain waits for them
}

const (
	pumpReadBytes  = 4 << 10
	pumpWriteBytes = 16 << 10

	regainTime = 5 * time.Second // for a write that is under way when the connection is taken back
)

func newPump(s *Sock, conn net.Conn) *pump {
	return &pump{conn: conn, sock: s, next: make(chan struct{}, 1)}
}

// begin starts reading, or, after a move, tells the pump its new loop.
func (p *pump) begin() {
	p.mu.Lock()
	first := p.loop == nil
	p.loop = p.sock.loop
	p.mu.Unlock()
	if first {
		p.running.Add(1)
		p.loop.group.wg.Go(p.read)
	}
}

// tell posts an event to the socket's loop. If the socket has moved on by the
// time it runs, nothing is lost: its new loop looks by itself when it attaches.
func (p *pump) tell(event func(s *Sock)) {
	p.mu.Lock()
	l := p.loop
	p.mu.Unlock()
	l.must(taskFunc(func(time.Time) {
		if p.lives(l) {
			event(p.sock)
		}
	}))
}

func (p *pump) lives(l *Loop) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loop == l && !p.closed && !p.stop
}

func arrived(s *Sock) {
	s.flags |= fReadable
	s.queueRead()
}

func writable(s *Sock) {
	s.flags &^= fBlocked
	s.dirty()
}

func (p *pump) read() {
	defer p.running.Done()
	buf := make([]byte, pumpReadBytes)
	for {
		p.mu.Lock()
		stop := p.stop || p.closed
		p.mu.Unlock()
		if stop {
			return // what is in buf may still be wanted
		}
		n, err := p.conn.Read(buf)
		p.mu.Lock()
		p.got, p.rerr = buf[:n], err
		stop = p.stop || p.closed
		p.mu.Unlock()
		if stop {
			return
		}
		p.tell(arrived)
		if err != nil {
			return
		}
		<-p.next
	}
}

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
		p.got = nil
		if p.rerr == nil {
			p.next <- struct{}{}
		} else {
			p.sock.queueRead()
		}
	}
	return n, nil
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
	b := p.wbuf[:0]
	for _, s := range q.segs[q.head:] {
		b = append(b, s.b[:min(len(s.b), pumpWriteBytes-len(b))]...)
		if len(b) == pumpWriteBytes {
			break
		}
	}
	p.wbuf, p.writing = b, true
	p.running.Add(1)
	p.sock.loop.group.wg.Go(p.write)
	return len(b), nil
}

func (p *pump) write() {
	defer p.running.Done()
	_, err := p.conn.Write(p.wbuf)
	p.mu.Lock()
	p.werr = err
	p.writing, p.wbuf = false, nil
	shut := p.shutReq
	p.mu.Unlock()
	if shut {
		p.closeWrite()
	}
	p.tell(writable)
}

// busy reports whether bytes that the socket is rid of are still being written.
func (p *pump) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writing
}

// shut finishes writing, after what is being written.
func (p *pump) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shutReq = true
	if !p.writing {
		p.sock.loop.group.wg.Go(p.closeWrite)
	}
}

func (p *pump) closeWrite() {
	if c, ok := p.conn.(shutter); ok {
		c.CloseWrite()
		return
	}
	p.conn.Close()
}

func (p *pump) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.conn.Close()
	select {
	case p.next <- struct{}{}:
	default:
	}
}

// regain stops the reader, waits for a write, and returns the connection with
// what was read. That the peer has finished writing, its next owner will see.
func (p *pump) regain() (net.Conn, []byte, error) {
	p.mu.Lock()
	p.stop = true
	p.mu.Unlock()
	p.conn.SetReadDeadline(time.Unix(1, 0))
	select {
	case p.next <- struct{}{}:
	default:
	}
	p.conn.SetWriteDeadline(time.Now().Add(regainTime))
	p.running.Wait()
	p.conn.SetDeadline(time.Time{})
	if p.werr != nil {
		return nil, nil, p.werr
	}
	if p.rerr != nil && !errors.Is(p.rerr, os.ErrDeadlineExceeded) && !errors.Is(p.rerr, io.EOF) {
		return nil, nil, p.rerr
	}
	return p.conn, p.got, nil
}
