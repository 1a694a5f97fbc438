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
// closes at once. err is what the handler's Closed will hear; nil means
// [ErrClosed]. Closing twice is the same as closing once, or, with a zero
// linger, cuts the first short.
func (s *Sock) Close(err error, linger time.Duration) {
	if err == nil {
		err = ErrClosed
	}
	if s.flags&fGone != 0 {
		return
	}
	if s.flags&fClosing != 0 {
		if linger <= 0 {
			s.cut(s.ext.err)
		}
		return
	}
	if linger <= 0 {
		s.cut(err)
		return
	}
	x := s.more()
	x.err = err
	s.flags |= fClosing
	s.flags &^= fPaused | fAgain
	s.in = nil
	s.loop.After(linger, &x.linger)
	s.dirty() // the flush at the end of the turn goes on from here
}

// Fire ends a closing that took too long.
func (x *ext) Fire(time.Time) { x.sock.cut(x.err) }

// shutdown follows when all is flushed.
func (s *Sock) shutdown() {
	if s.flags&fShut != 0 {
		return
	}
	if x := s.ext; x.layer != nil {
		l := x.layer
		x.layer = nil
		l.CloseWrite()
		if x.wire != nil && !s.push(x.wire) {
			return // blocked; flush comes here again
		}
	}
	if p := s.ext.pump; p != nil && p.busy() {
		s.flags |= fBlocked // writable calls flush again
		return
	}
	s.flags |= fShut
	s.shutWrite()
	if s.flags&fEnded != 0 {
		s.lingered()
		return
	}
	s.queueRead()
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
	l := s.loop
	l.detach(s)
	s.flags |= fGone
	s.more().err = err
	s.release()
	s.destroy()
	l.gone = append(l.gone, s)
}

// release gives the socket's memory back to the loop.
func (s *Sock) release() {
	if s.out != nil {
		s.loop.bufs.freeQueue(s.out)
		s.out = nil
	}
	if x := s.ext; x != nil {
		x.linger.Stop()
		if x.wire != nil {
			s.loop.bufs.freeQueue(x.wire)
			x.wire = nil
		}
	}
	s.in = nil
}

func (s *Sock) bury() {
	h, err := s.h, s.ext.err
	s.h = nobody{}
	h.Closed(s.loop.now, err)
}

// attach enters s into the loop's table and its poller.
func (l *Loop) attach(s *Sock) error {
	if l.table.closed {
		return ErrShutdown
	}
	s.loop = l
	l.table.add(s)
	l.socks.Add(1)
	s.flags |= fReadable
	if s.ext != nil && s.ext.pump != nil {
		s.ext.pump.begin()
		return nil
	}
	if err := l.wait.add(s); err != nil {
		l.table.remove(s)
		l.socks.Add(-1)
		return err
	}
	return nil
}

// detach takes s out of all that the loop knows it by.
func (l *Loop) detach(s *Sock) {
	if s.fd >= 0 {
		l.wait.del(s)
	}
	l.table.remove(s)
	l.socks.Add(-1)
	if s.flags&fQueued != 0 {
		forget(l.ready, s)
		forget(l.reading, s)
	}
	if s.flags&fDirty != 0 {
		forget(l.dirty, s)
	}
	s.flags &^= fQueued | fDirty
}

func forget(list []*Sock, s *Sock) {
	for i, o := range list {
		if o == s {
			list[i] = nil
		}
	}
}

// Move takes the socket to another loop, with all that waits in it, and runs
// then there. Nothing of the socket may be touched between the call and then.
// Timers of its owner must be stopped before.
func (s *Sock) Move(to *Loop, then func(now time.Time)) {
	if s.flags&(fGone|fClosing) != 0 {
		return // then will not run; Closed follows
	}
	if to == s.loop {
		then(s.loop.now)
		return
	}
	from := s.loop
	again := s.in != nil
	from.detach(s)
	moved := to.must(taskFunc(func(now time.Time) {
		if err := to.attach(s); err != nil {
			s.lost(to, err)
			return
		}
		then(now)
		if s.flags&fGone != 0 {
			return
		}
		if again {
			s.flags |= fAgain
		}
		s.queueRead()
		if s.flags&fBlocked != 0 || s.Waiting() > 0 {
			s.flags &^= fBlocked
			s.dirty()
		}
	}))
	if !moved {
		s.lost(from, ErrShutdown)
	}
}

// lost ends a socket that found no loop to live on.
func (s *Sock) lost(l *Loop, err error) {
	s.loop = l
	s.flags |= fGone
	s.more().err = err
	s.release()
	s.destroy()
	l.gone = append(l.gone, s)
}

// Release takes the socket off its loop and hands its connection back, open
// and usable by goroutines, with the bytes that nobody took. Nothing may wait
// to be written. The handler hears nothing any more. done runs on a goroutine
// of its own.
func (s *Sock) Release(done func(conn net.Conn, rest []byte, err error)) {
	if s.flags&(fGone|fClosing) != 0 {
		go done(nil, nil, net.ErrClosed)
		return
	}
	var rest []byte
	if s.in != nil {
		rest = *s.in
	}
	l := s.loop
	l.detach(s)
	s.flags |= fGone
	s.release()
	s.h = nobody{}
	l.group.wg.Go(func() {
		conn, more, err := s.regain()
		if err == nil && len(more) > 0 && s.ext.layer != nil {
			s.ext.layer.Feed(more) // it lies beneath the layer, rest above it
			s.ext.layer.Keep()
			more = nil
		}
		if err != nil {
			s.destroy()
		}
		done(conn, append(rest[:len(rest):len(rest)], more...), err)
	})
}

// destroy closes what lies beneath.
func (s *Sock) destroy() {
	if s.ext != nil && s.ext.pump != nil {
		s.ext.pump.close()
	} else if s.fd >= 0 {
		closeFD(s.fd)
		s.fd = -1
	}
}

func (s *Sock) regain() (net.Conn, []byte, error) {
	if s.ext != nil && s.ext.pump != nil {
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
	if s.fd >= 0 {
		return sendFD(s.fd, q, &s.loop.iov)
	}
	return s.ext.pump.send(q)
}

func (s *Sock) shutWrite() {
	if s.fd >= 0 {
		shutFD(s.fd)
	} else {
		s.ext.pump.shut()
	}
}

// shutter is what a connection has that can be shut down one way.
type shutter interface{ CloseWrite() error }
