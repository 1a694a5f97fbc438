package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxStreamBytes is what may be on its way in one direction, as the buffers of
// two kernels would hold it.
const maxStreamBytes = 64 << 10

// A stream is one direction of a connection. There are no goroutines beneath
// it. Whoever waits does so on a condition, which is durable in virtual time.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond // anything below

	// Guarded by mu.
	buf            []byte
	arrived        int  // how much of buf can still be read once frozen
	frozen         bool // nothing travels any more
	finished       bool // the writer has finished: an end follows buf
	reset          error
	reader, writer side
}

// A side is one user of a stream.
type side struct {
	closed   bool
	deadline time.Time
	timer    *time.Timer // wakes whoever waits at the deadline
}

func newStream() *stream {
	s := &stream{}
	s.changed.L = &s.mu
	return s
}

func (d *side) err() error {
	switch {
	case d.closed:
		return net.ErrClosed
	case !d.deadline.IsZero() && !time.Now().Before(d.deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := s.reader.err(); err != nil {
			return 0, err
		}
		ready := s.buf
		if s.frozen {
			ready = ready[:s.arrived]
		}
		switch {
		case s.reset != nil:
			return 0, s.reset
		case len(p) == 0:
			return 0, nil
		case len(ready) > 0:
			n := copy(p, ready)
			s.buf = s.buf[:copy(s.buf, s.buf[n:])]
			s.arrived = max(0, s.arrived-n)
			s.changed.Broadcast()
			return n, nil
		case s.finished && !s.frozen:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := s.writer.err(); err != nil {
			return n, err
		}
		switch {
		case s.reset != nil:
			return n, s.reset
		case s.finished || s.reader.closed && !s.frozen:
			return n, syscall.EPIPE
		case n == len(p):
			return n, nil
		}
		if k := min(len(p)-n, maxStreamBytes-len(s.buf)); k > 0 {
			s.buf = append(s.buf, p[n:n+k]...)
			n += k
			s.changed.Broadcast()
			continue
		}
		s.changed.Wait()
	}
}

// finish is the writer's half close.
func (s *stream) finish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer.closed {
		return net.ErrClosed
	}
	s.finished = true
	s.changed.Broadcast()
	return nil
}

func (s *stream) unread() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.reader.closed && len(s.buf) > 0
}

func (s *stream) closeReader(reset error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader.closed {
		return net.ErrClosed
	}
	s.close(&s.reader, reset)
	return nil
}

func (s *stream) closeWriter(reset error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.writer.closed {
		s.finished = true
		s.close(&s.writer, reset)
	}
}

func (s *stream) close(d *side, reset error) {
	d.closed = true
	if d.timer != nil {
		d.timer.Stop()
	}
	if reset != nil && !s.frozen {
		s.reset, s.buf = reset, nil
	}
	s.changed.Broadcast()
}

func (s *stream) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.frozen {
		s.frozen, s.arrived = true, len(s.buf)
	}
}

func (s *stream) setDeadline(d *side, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.closed {
		return net.ErrClosed
	}
	d.deadline = t
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	left := time.Until(t)
	switch {
	case t.IsZero():
	case left <= 0: // no timer: one that fires at once crashes the race detector in virtual time (Go 1.26)
		s.changed.Broadcast()
	default:
		d.timer = time.AfterFunc(left, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changed.Broadcast()
		})
	}
	return nil
}
