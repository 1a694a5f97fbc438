package loop

import "errors"

// Writing out. What is queued during a turn leaves at its end, or once so many
// sockets are owed something (flushEvery), in one system call per socket (more
// if it takes more than one: a queue of over 64 segments, or 16 KiB pieces of
// a layer). What the kernel refuses waits until
// the poller says that it takes bytes again.

// Room reports whether n more bytes may be queued: whether nothing waits, or
// no more than HighWater would. If not even the kernel takes what waits,
// Drained follows once it has.
func (s *Sock) Room(n int) bool {
	if s.fits(n) {
		return true
	}
	if s.flags&(fBlocked|fWants) == 0 {
		s.flush()
		if s.fits(n) {
			return true
		}
	}
	s.flags |= fWants
	return false
}

func (s *Sock) fits(n int) bool {
	w := s.Waiting()
	return w == 0 || w+n <= HighWater
}

func (s *Sock) dirty() {
	if s.flags&(fDirty|fBlocked|fFlushing|fGone) == 0 {
		s.flags |= fDirty
		s.loop.dirty = append(s.loop.dirty, s)
	}
}

func (s *Sock) flushDirty() {
	s.flags &^= fDirty
	s.flush()
}

// flush writes what the socket is owed, until the kernel refuses.
func (s *Sock) flush() {
	if s.flags&(fGone|fShut|fBlocked) != 0 {
		return
	}
	if s.ext != nil && (s.ext.layer != nil || s.ext.wire != nil) {
		if !s.flushLayer() {
			return
		}
	} else if s.out != nil && !s.push(s.out) {
		return
	}
	if s.out != nil {
		s.loop.bufs.freeQueue(s.out)
		s.out = nil
	}
	if s.flags&fClosing != 0 {
		s.shutdown()
		return
	}
	if s.flags&(fWants|fLeaving) == fWants { // who leaves hears it where it arrives
		s.flags &^= fWants
		s.h.Drained(s.loop.now)
	}
}

// push writes q and reports whether all of it went.
func (s *Sock) push(q *queue) bool {
	for q.n > 0 {
		n, err := s.send(q)
		if n > 0 {
			q.wrote(&s.loop.bufs, n)
		}
		if errors.Is(err, errAgain) {
			s.flags |= fBlocked
			return false
		}
		if err != nil {
			s.cut(err)
			return false
		}
	}
	return true
}
