package loop

import (
	"errors"
	"io"
)

// Reading. A poller tells once that something happened, and not again: epoll
// is edge-triggered, a pump reads one piece ahead. So what was told is kept in
// flags (fReadable, fHup, fFailed) until a read has found nothing more, however
// often the socket is paused, moved or half closed meanwhile. Whoever stops
// reading before that puts the socket on the ready list or leaves the flags.

// what a poller tells of a socket
const (
	evRead  = 1 << iota // there may be something to read
	evWrite             // it takes bytes again
	evEnd               // the peer has finished, or more
	evFail              // the connection is broken
)

func (s *Sock) happened(ev int) {
	if s.flags&fGone != 0 {
		return
	}
	if ev&evWrite != 0 && s.flags&fBlocked != 0 {
		s.flags &^= fBlocked
		s.dirty()
	}
	if ev&^evWrite == 0 {
		return
	}
	s.flags |= fReadable
	if ev&(evEnd|evFail) != 0 {
		s.flags |= fHup
	}
	if ev&evFail != 0 {
		s.flags |= fFailed
		if s.flags&(fPaused|fEnded|fLeaving) != 0 {
			s.cut(s.failure()) // nobody reads, so nobody else would notice
			return
		}
	}
	if s.flags&fQueued == 0 {
		s.read()
	}
}

// SetRead pauses reading, or goes on with it. A paused socket is backpressure
// to its peer; that its connection broke is still noticed, unless bytes that
// nobody reads keep a pump from looking.
func (s *Sock) SetRead(on bool) {
	if !on {
		s.flags |= fPaused
		if s.flags&fFailed != 0 {
			s.queueRead()
		}
		return
	}
	if s.flags&fPaused == 0 {
		return
	}
	s.flags &^= fPaused
	s.flags |= fAgain
	s.queueRead()
}

// MaxUntaken is how much of what its handler leaves untaken a socket of ReadLittle holds.
const MaxUntaken = 4 << 10

// ReadLittle bounds what the socket holds of the bytes that its handler leaves
// untaken: at MaxUntaken of them reading pauses, as with SetRead. It is for handlers
// that leave what comes to whoever has the connection next. Without it such a socket
// would hold what one read brings, which is much more.
//
// It is called in the adoption's open, before the first read. A layer may hold a
// record more.
func (s *Sock) ReadLittle() { s.flags |= fLittle }

// Handle replaces the handler. What was untaken is presented to the new one,
// and it hears End even if the old one did already.
func (s *Sock) Handle(h Handler) {
	s.h = h
	s.flags |= fAgain
	if s.flags&fEnded != 0 {
		s.flags = s.flags&^fEnded | fReadable // the connection says so again
	}
	s.queueRead()
}

func (s *Sock) queueRead() {
	if s.flags&(fQueued|fGone) == 0 {
		s.flags |= fQueued
		s.loop.ready = append(s.loop.ready, s)
	}
}

func (s *Sock) readReady() {
	s.flags &^= fQueued
	s.read()
}

// read takes this turn's share of what the socket has to say.
func (s *Sock) read() {
	if s.flags&(fGone|fLeaving) != 0 {
		return
	}
	if s.flags&fPaused != 0 && s.flags&fClosing == 0 {
		if s.flags&fFailed != 0 {
			s.cut(s.failure())
		}
		return
	}
	if s.flags&fAgain != 0 {
		s.flags &^= fAgain
		if s.in != nil {
			p := *s.in
			s.in = nil
			s.deliver(p, true)
			if s.flags&(fGone|fPaused|fLeaving) != 0 {
				return
			}
		}
	}
	switch {
	case s.flags&fEnded != 0:
	case s.ext != nil && s.ext.layer != nil && s.flags&fClosing == 0:
		s.readLayer()
	case s.flags&(fReadable|fHup) != 0:
		s.readSocket()
	}
}

func (s *Sock) readSocket() {
	buf, off := s.space(s.loop.rbuf)
	n, err := s.recv(buf[off:])
	if err != nil || n == 0 {
		s.putIn(buf[:off])
		s.readEnd(err)
		return
	}
	if n == len(buf)-off || s.flags&fHup != 0 {
		s.queueRead() // more may wait; the others come first
	} else {
		s.flags &^= fReadable
	}
	if s.flags&fClosing == 0 {
		s.deliver(buf[:off+n], off > 0)
	}
}

// space returns where to read to: buf, or behind what is left of before, in its own
// memory.
func (s *Sock) space(buf []byte) (_ []byte, off int) {
	if s.in != nil && s.flags&fClosing == 0 {
		buf, off = s.takeIn()
	}
	if s.flags&fLittle != 0 {
		buf = buf[:max(off, min(len(buf), MaxUntaken))]
	}
	return buf, off
}

// deliver hands p to the handler and keeps what it does not take: p itself if
// own says that it is the socket's memory and still all wanted, else a copy.
func (s *Sock) deliver(p []byte, own bool) {
	took := s.h.Read(s.loop.now, p)
	if s.flags&(fGone|fClosing) != 0 || took == len(p) {
		return
	}
	if own && took == 0 {
		s.putIn(p)
	} else {
		s.putIn(append(make([]byte, 0, max(512, len(p)-took)), p[took:]...))
	}
	if s.flags&fLittle != 0 && len(p)-took >= MaxUntaken {
		s.SetRead(false)
	}
}

// putIn keeps untaken bytes; p is the socket's own memory from now on.
func (s *Sock) putIn(p []byte) {
	if len(p) > 0 {
		b := p // not p itself, which would then be allocated in every call
		s.in = &b
	}
}

// takeIn returns all of the memory of the untaken bytes, doubled if it is
// full, and how many there are.
func (s *Sock) takeIn() (buf []byte, off int) {
	b := *s.in
	s.in = nil
	switch little := s.flags&fLittle != 0; {
	case cap(b)-len(b) >= 512 || little && cap(b) >= MaxUntaken:
	case little:
		b = append(make([]byte, 0, MaxUntaken), b...)
	default:
		b = append(make([]byte, 0, max(2*cap(b), 4<<10)), b...)
	}
	return b[:cap(b)], len(b)
}

// readEnd takes the answer of a read that brought nothing.
func (s *Sock) readEnd(err error) {
	switch {
	case errors.Is(err, errAgain):
		s.flags &^= fReadable
	case err == nil || errors.Is(err, io.EOF):
		s.ended()
	default:
		s.cut(err)
	}
}

func (s *Sock) ended() {
	s.flags |= fEnded
	s.flags &^= fReadable
	if s.flags&fClosing != 0 {
		s.lingered()
		return
	}
	var rest []byte
	if s.in != nil {
		rest = *s.in
		s.in = nil
	}
	s.h.End(s.loop.now, rest)
}
