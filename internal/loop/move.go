package loop

import (
	"net"
	"slices"
	"time"
)

// Leaving a loop, for another one or for good. It is mostly asked for from
// inside a handler's Read, before the loop knows what of the bytes was taken,
// so it happens at the end of the turn; until then the socket is not read.

// A leaver is a socket that was asked to leave.
type leaver struct {
	sock *Sock
	to   *Loop // Move
	then func(now time.Time)
	done func(conn net.Conn, rest []byte, err error) // Release
}

// Move takes the socket to another loop at the end of the turn, with all that
// waits in it, and runs then there. Nothing of the socket may be touched
// between the call and then. Timers of its owner must be stopped before. If
// the socket is closed, or is closed before it left, then does not run; if it
// finds the other loop shut down, neither: Closed follows, there or here. The
// socket may be on that loop already.
func (s *Sock) Move(to *Loop, then func(now time.Time)) {
	if s.flags&(fGone|fClosing) == 0 {
		s.leave(leaver{sock: s, to: to, then: then})
	}
}

// Release takes the socket off its loop as soon as everything is written, at
// the end of the turn at the earliest, and hands its connection back, open and
// usable by goroutines, with the bytes that nobody took; what a pump had read
// beneath a layer is fed to the layer. That the peer has finished writing, the
// next owner will see. The handler hears nothing any more. done runs once, on a goroutine of its own, for which
// [Group.Close] waits; it has an error and no connection if the socket was
// closed before, or broke.
func (s *Sock) Release(done func(conn net.Conn, rest []byte, err error)) {
	if s.flags&(fGone|fClosing) != 0 {
		s.loop.group.wg.Go(func() { done(nil, nil, net.ErrClosed) })
		return
	}
	s.h = nobody{}
	s.leave(leaver{sock: s, done: done})
}

func (s *Sock) leave(v leaver) {
	if s.flags&fLeaving != 0 {
		panic("loop: Move or Release of a socket that is leaving already")
	}
	s.flags |= fLeaving
	s.loop.leaving = append(s.loop.leaving, v)
	s.loop.departing = true
}

// depart sees off who can leave.
func (l *Loop) depart() {
	if len(l.leaving) == 0 {
		return
	}
	l.departing = false
	kept, n := 0, len(l.leaving) // more may enter meanwhile
	for i := range n {
		if v := l.leaving[i]; !v.left(l) {
			l.leaving[kept] = v
			kept++
		}
	}
	l.leaving = slices.Delete(l.leaving, kept, n)
}

// left reports whether there is no more to do for v.
func (v leaver) left(l *Loop) bool {
	s := v.sock
	switch {
	case s.flags&(fGone|fClosing) != 0:
		if err := s.ext.err; v.done != nil {
			l.group.wg.Go(func() { v.done(nil, nil, err) })
		}
	case v.to == l:
		s.flags &^= fLeaving
		s.resume()
		v.then(l.now)
	case v.to != nil:
		s.moveTo(v.to, v.then)
	case s.Waiting() > 0 || s.flags&fDirty != 0 || s.writing():
		return false
	default:
		s.giveBack(v.done)
	}
	return true
}

func (s *Sock) moveTo(to *Loop, then func(now time.Time)) {
	from := s.loop
	from.detach(s)
	from.socks.Add(-1) // before then can look
	to.socks.Add(1)
	if !to.must(taskFunc(func(now time.Time) { s.arrive(to, then) })) {
		to.socks.Add(-1)
		from.socks.Add(1)
		s.finish(from, ErrShutdown)
	}
}

func (s *Sock) arrive(to *Loop, then func(now time.Time)) {
	s.flags &^= fLeaving
	if err := to.attach(s); err != nil {
		s.finish(to, err)
		return
	}
	s.resume()
	then(to.now)
}

// resume goes on with reading and writing wherever they were left.
func (s *Sock) resume() {
	s.flags |= fReadable | fAgain
	s.queueRead()
	if s.flags&(fBlocked|fWants) != 0 || s.Waiting() > 0 {
		s.flags &^= fBlocked
		s.dirty()
	}
}

func (s *Sock) giveBack(done func(conn net.Conn, rest []byte, err error)) {
	var rest []byte
	if s.in != nil {
		rest = *s.in
	}
	var layer Layer
	if s.ext != nil {
		layer = s.ext.layer
	}
	l := s.loop
	l.detach(s)
	l.socks.Add(-1)
	s.flags |= fGone
	s.forgetAll()
	l.group.wg.Go(func() {
		conn, more, err := s.regain()
		if layer != nil && len(more) > 0 {
			layer.Feed(more) // it belongs beneath the layer, rest above it
			layer.Keep()
			more = nil
		}
		if err != nil {
			s.destroy()
			conn = nil
		}
		done(conn, append(rest, more...), err)
	})
}

// detach takes s out of all that the loop knows it by.
func (l *Loop) detach(s *Sock) {
	if s.fd >= 0 {
		l.wait.del(s)
	} else {
		s.ext.pump.attach(nil)
	}
	l.table.remove(s)
	// The lists are searched only here. A socket that is closed stays in them
	// until its turn: there it is known to be gone.
	if s.flags&fQueued != 0 {
		forget(l.ready, s)
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
