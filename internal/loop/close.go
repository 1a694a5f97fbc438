package loop

import (
	"net"
	"time"
)

// Closing in order: what is owed is flushed, our side is shut down, what
// still arrives is read and thrown away until the peer has finished too, and
// only then the descriptor is closed. Closing at once while unread bytes lie
// in the kernel makes it send a reset, which destroys our last words in the
// peer's buffer.

// Close closes the socket, with at most linger for all of the above; zero
// closes at once. err is what the handler's Closed will hear, whatever becomes
// of the connection meanwhile; nil means [ErrClosed]. It hears nothing else any
// more. Closing twice is the same as closing once, or, with a zero linger, cuts
// the first short.
func (s *Sock) Close(err error, linger time.Duration) {
	if err == nil {
		err = ErrClosed
	}
	if s.flags&fGone != 0 {
		return
	}
	if linger <= 0 {
		s.cut(err)
		return
	}
	if s.flags&fClosing != 0 {
		return
	}
	x := s.more()
	x.err = err
	s.flags |= fClosing
	s.flags &^= fPaused | fAgain | fWants | fLeaving
	s.in = nil
	s.loop.After(linger, &x.linger)
	s.dirty()     // the flush at the end of the turn goes on from here
	s.queueRead() // a peer that cannot write may not read either
}

// Fire ends a closing that took too long.
func (x *ext) Fire(time.Time) { x.sock.cut(x.err) }

// shutdown follows when all is flushed.
func (s *Sock) shutdown() {
	x := s.ext
	if l := x.layer; l != nil {
		s.flags |= fFlushing
		l.CloseWrite()
		s.flags &^= fFlushing
		x.layer = nil
		if s.flags&fGone != 0 || x.wire != nil && !s.push(x.wire) {
			return // blocked: flush comes here again
		}
	}
	if s.writing() {
		s.flags |= fBlocked // the pump tells when it has written
		return
	}
	s.flags |= fShut
	s.shutWrite()
	if s.flags&fEnded != 0 {
		s.lingered()
	}
}

// lingered is the good end of a closing: both sides have finished.
func (s *Sock) lingered() {
	if s.flags&fShut != 0 {
		s.cut(s.ext.err)
	}
}

// cut closes the socket now. Its handler is told at the end of the turn.
func (s *Sock) cut(err error) {
	if s.flags&fGone != 0 {
		return
	}
	s.loop.table.remove(s)
	s.finish(s.loop, err)
}

// finish ends a socket that is in no loop's table any more.
func (s *Sock) finish(l *Loop, err error) {
	if s.loop != l { // Loop may be asked from anywhere while a socket does not move
		s.loop = l
	}
	x := s.more()
	if s.flags&fClosing == 0 {
		x.err = err
	}
	s.flags |= fGone
	s.forgetAll()
	s.destroy()
	l.socks.Add(-1)
	l.gone = append(l.gone, s)
}

// forgetAll gives the socket's memory back to the loop.
func (s *Sock) forgetAll() {
	if s.out != nil {
		s.loop.bufs.freeQueue(s.out)
		s.out = nil
	}
	if x := s.ext; x != nil {
		x.linger.Stop()
		x.layer = nil
		if x.wire != nil {
			s.loop.bufs.freeQueue(x.wire)
			x.wire = nil
		}
	}
	s.in = nil
}

// What lies beneath is a descriptor or a pump.

// destroy closes it. Closing a descriptor takes it out of epoll, too.
func (s *Sock) destroy() {
	if s.fd >= 0 {
		closeFD(s.fd)
		s.fd = -1
	} else if s.ext != nil && s.ext.pump != nil {
		s.ext.pump.close()
	}
}

func (s *Sock) regain() (net.Conn, []byte, error) {
	if s.fd < 0 {
		return s.ext.pump.regain()
	}
	conn, err := connOf(s.fd)
	s.fd = -1
	return conn, nil, err
}

func (s *Sock) recv(p []byte) (int, error) {
	if s.fd >= 0 {
		return recvFD(s.fd, p)
	}
	return s.ext.pump.recv(p)
}

func (s *Sock) send(q *queue) (int, error) {
	s.loop.writes++
	if s.fd >= 0 {
		return sendFD(s.fd, q, &s.loop.iov)
	}
	return s.ext.pump.send(q)
}

// writing reports whether bytes that the queue is rid of have not reached the
// kernel yet.
func (s *Sock) writing() bool { return s.fd < 0 && s.ext.pump.busy() }

func (s *Sock) shutWrite() {
	if s.fd >= 0 {
		shutFD(s.fd)
	} else {
		s.ext.pump.shut()
	}
}

// failure returns what broke the connection.
func (s *Sock) failure() error {
	if s.fd >= 0 {
		return failureFD(s.fd)
	}
	return s.ext.pump.failure()
}
