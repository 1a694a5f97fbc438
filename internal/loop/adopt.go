package loop

import (
	"net"
	"time"
)

// Adopt takes conn to the loop with the fewest sockets. There open is called
// with the new socket and returns its handler; if it returns nil, the
// connection is closed. Bytes that were read ahead come first to the handler.
// Any goroutine may call it. conn must not be used afterwards: a
// *net.TCPConn's descriptor is taken out of it and watched by the loop, any
// other connection is served by two goroutines of its own.
//
// If it returns an error, conn is closed and open is not called. Otherwise
// open is called once, and Closed of what it returns once, even if the loop
// shuts down meanwhile and the socket is dead from the start.
func (g *Group) Adopt(conn net.Conn, read []byte, open func(now time.Time, s *Sock) Handler) error {
	return g.Least().Adopt(conn, read, open)
}

// Adopt is [Group.Adopt] for one loop. Any goroutine may call it.
func (l *Loop) Adopt(conn net.Conn, read []byte, open func(now time.Time, s *Sock) Handler) error {
	s := &Sock{fd: -1, loop: l}
	if fd, ok := l.wait.take(conn); ok {
		s.fd = fd
	} else {
		s.more().pump = newPump(s, conn)
	}
	return l.admit(s, read, open)
}

// AdoptFD is Adopt for a connected, non-blocking descriptor that the loop shall own.
// Any goroutine may call it. It is for loops over epoll only.
func (l *Loop) AdoptFD(fd int, open func(now time.Time, s *Sock) Handler) error {
	return l.admit(&Sock{fd: int32(fd), loop: l}, nil, open)
}

func (l *Loop) admit(s *Sock, read []byte, open func(now time.Time, s *Sock) Handler) error {
	l.socks.Add(1) // now, so that Least spreads what is adopted in one go
	if !l.must(taskFunc(func(now time.Time) { l.welcome(s, read, open) })) {
		l.socks.Add(-1)
		s.destroy()
		return ErrShutdown
	}
	return nil
}

func (l *Loop) welcome(s *Sock, read []byte, open func(now time.Time, s *Sock) Handler) {
	s.h = nobody{}
	if err := l.attach(s); err != nil {
		s.finish(l, err)
	}
	h := open(l.now, s)
	if h == nil {
		s.cut(ErrClosed)
		return
	}
	s.h = h
	if s.flags&(fGone|fClosing) == 0 && len(read) > 0 {
		s.putIn(append(make([]byte, 0, max(512, len(read))), read...))
		s.flags |= fAgain
		s.queueRead()
	}
}

// attach enters s into the loop's table and its poller, which tells what is
// there already.
func (l *Loop) attach(s *Sock) error {
	if l.table.closed {
		return ErrShutdown
	}
	s.loop = l
	l.table.add(s)
	if s.ext != nil && s.ext.pump != nil {
		s.ext.pump.attach(l)
		return nil
	}
	if err := l.wait.add(s); err != nil {
		l.table.remove(s)
		return err
	}
	return nil
}

// nobody is the handler of a socket that nobody wants.
type nobody struct{}

func (nobody) Read(_ time.Time, p []byte) int { return len(p) }
func (nobody) End(time.Time, []byte)          {}
func (nobody) Drained(time.Time)              {}
func (nobody) Closed(time.Time, error)        {}
