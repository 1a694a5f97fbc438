package loop

import (
	"errors"
	"io"
	"net"
	"time"
)

// A Handler hears one socket: on the socket's loop, one call at a time, never
// from inside another of its calls, never blocking.
type Handler interface {
	// Read hears what arrived and returns how much of it it took. The rest is
	// kept and presented again, with more behind it, or by itself once reading
	// was paused and goes on. It is the handler's part to refuse what grows
	// too long. The bytes are the loop's: they may be changed during the call
	// and must not be kept.
	Read(now time.Time, p []byte) int
	// End hears that the peer has finished writing, with what was left
	// untaken. The socket can still be written; a handler that has no use for
	// that closes it.
	End(now time.Time, rest []byte)
	// Drained hears that everything was written, after Room said no.
	Drained(now time.Time)
	// Closed is called once, last.
	Closed(now time.Time, err error)
}

// HighWater is how much may wait in a socket's queue before Room says no.
// The kernel's own buffer comes on top of it.
const HighWater = 16 << 10

// flags of a Sock
const (
	fQueued   = 1 << iota // on the ready list
	fDirty                // on the dirty list
	fReadable             // the kernel may have something to read
	fHup                  // the end is near: read until it comes
	fPaused               // do not read
	fAgain                // present s.in again although nothing new came
	fEnded                // the peer has finished writing
	fBlocked              // the kernel refused bytes: wait until it is writable
	fWants                // Room said no: call Drained
	fClosing              // closing: discard what arrives
	fShut                 // our side is shut down
	fGone                 // closed
)

// A Sock is one open socket. It belongs to its loop: all methods may be
// called only there, unless they say otherwise.
type Sock struct {
	loop  *Loop
	h     Handler
	out   *queue  // nil while nothing waits
	in    *[]byte // untaken bytes; nil while there are none
	ext   *ext    // nil for a plain descriptor in its ordinary life
	fd    int32   // -1 with a pump
	slot  uint32  // place in the loop's table
	gen   uint32  // which user of that place this is
	flags uint32
}

// ext is what only some sockets need.
type ext struct {
	layer  Layer
	wire   *queue // bytes beneath the layer
	pump   *pump
	linger Timer
	sock   *Sock
	err    error // why it is closing
}

func (s *Sock) more() *ext {
	if s.ext == nil {
		s.ext = &ext{sock: s}
		s.ext.linger.Owner = s.ext
	}
	return s.ext
}

// Loop returns the loop that the socket lives on.
func (s *Sock) Loop() *Loop { return s.loop }

// Write queues a copy of p. Everything that is queued during a turn leaves
// at its end, in one system call.
func (s *Sock) Write(p []byte) {
	if q := s.owe(); q != nil {
		q.copyIn(&s.loop.bufs, p)
	}
}

// Lend queues p itself. It must not change any more.
func (s *Sock) Lend(p []byte) {
	if q := s.owe(); q != nil {
		q.lend(&s.loop.bufs, p)
	}
}

// Reserve returns the end of the socket's queue with room for n bytes, for
// the caller to append to and hand to Commit at once: encoding in place.
func (s *Sock) Reserve(n int) []byte {
	if q := s.owe(); q != nil {
		return q.tail(&s.loop.bufs, n).b
	}
	return nil
}

// Commit takes back what Reserve returned, grown by what the caller appended.
func (s *Sock) Commit(b []byte) {
	if s.out == nil || len(s.out.segs) == 0 {
		return // closed meanwhile
	}
	t := &s.out.segs[len(s.out.segs)-1]
	s.out.n += len(b) - len(t.b)
	t.b = b
}

// Raw queues bytes beneath the socket's layer.
func (s *Sock) Raw(p []byte) {
	if s.flags&fGone != 0 {
		return
	}
	x := s.more()
	if x.wire == nil {
		x.wire = s.loop.bufs.queue()
	}
	x.wire.copyIn(&s.loop.bufs, p)
	s.dirty()
}

// Waiting returns the bytes that the kernel has not taken yet.
func (s *Sock) Waiting() int {
	n := 0
	if s.out != nil {
		n = s.out.n
	}
	if s.ext != nil && s.ext.wire != nil {
		n += s.ext.wire.n
	}
	return n
}

// Room reports whether n more bytes may be queued: whether nothing waits, or
// no more than HighWater would. If not even the kernel takes what waits,
// Drained follows once it has.
func (s *Sock) Room(n int) bool {
	w := s.Waiting()
	if w == 0 || w+n <= HighWater {
		return true
	}
	if s.flags&(fBlocked|fWants) == 0 {
		s.flush()
		if w = s.Waiting(); w == 0 || w+n <= HighWater {
			return true
		}
	}
	s.flags |= fWants
	return false
}

func (s *Sock) owe() *queue {
	if s.flags&(fGone|fClosing) != 0 {
		return nil
	}
	if s.out == nil {
		s.out = s.loop.bufs.queue()
	}
	s.dirty()
	return s.out
}

func (s *Sock) dirty() {
	if s.flags&(fDirty|fBlocked|fGone) == 0 {
		s.flags |= fDirty
		s.loop.dirty = append(s.loop.dirty, s)
	}
}

// SetRead pauses reading, or goes on with it. A paused socket is backpressure to
// its peer; that the peer is gone for good is still noticed.
func (s *Sock) SetRead(on bool) {
	if !on {
		s.flags |= fPaused
		return
	}
	if s.flags&fPaused == 0 {
		return
	}
	s.flags &^= fPaused
	if s.in != nil {
		s.flags |= fAgain
	}
	if s.flags&(fReadable|fAgain|fHup) != 0 || s.ext != nil {
		s.queueRead()
	}
}

// Handle replaces the handler; what was untaken is presented to the new one.
func (s *Sock) Handle(h Handler) {
	s.h = h
	if s.in != nil {
		s.flags |= fAgain
		s.queueRead()
	}
}

func (s *Sock) queueRead() {
	if s.flags&(fQueued|fGone) == 0 {
		s.flags |= fQueued
		s.loop.ready = append(s.loop.ready, s)
	}
}

// read takes this turn's share of what the socket has to say.
func (s *Sock) read() {
	if s.flags&fGone != 0 {
		return
	}
	if s.flags&fPaused != 0 && s.flags&fClosing == 0 {
		return
	}
	if s.flags&fAgain != 0 {
		s.flags &^= fAgain
		if s.in != nil {
			p := *s.in
			s.in = nil
			s.deliver(p, true)
			if s.flags&(fGone|fPaused) != 0 {
				return
			}
		}
	}
	if s.flags&fEnded != 0 {
		return
	}
	if s.ext != nil && s.ext.layer != nil && s.flags&fClosing == 0 {
		s.readLayer()
		return
	}
	// What is left of before is read behind, in its own memory.
	buf, off := s.loop.rbuf, 0
	if s.in != nil && s.flags&fClosing == 0 {
		buf, off = grown(*s.in), len(*s.in)
		s.in = nil
	}
	n, err := s.recv(buf[off:])
	if err != nil || n == 0 {
		if off > 0 {
			buf = buf[:off]
			s.hold(buf)
		}
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

// deliver hands p to the handler and keeps what it does not take: p itself if
// own says that it is the socket's memory and still all wanted, else a copy.
func (s *Sock) deliver(p []byte, own bool) {
	took := s.h.Read(s.loop.now, p)
	switch {
	case s.flags&(fGone|fClosing) != 0 || took == len(p):
	case own && took == 0:
		s.hold(p)
	default:
		s.keep(p[took:])
	}
}

// hold keeps the socket's own memory. It is apart so that only here a slice
// header escapes.
func (s *Sock) hold(b []byte) { s.in = &b }

// keep copies what a handler did not take.
func (s *Sock) keep(rest []byte) {
	b := append(make([]byte, 0, max(512, len(rest))), rest...)
	s.in = &b
}

// grown returns all of b's memory, doubled if it is full.
func grown(b []byte) []byte {
	if cap(b)-len(b) < 512 {
		b = append(make([]byte, 0, max(2*cap(b), 4<<10)), b...)
	}
	return b[:cap(b)]
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

// flush writes what the socket is owed, until the kernel refuses.
func (s *Sock) flush() {
	if s.flags&(fGone|fShut) != 0 {
		return
	}
	q := s.out
	if s.ext != nil && (s.ext.layer != nil || s.ext.wire != nil) {
		if !s.flushLayer() {
			return
		}
	} else if q != nil && !s.push(q) {
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
	if s.flags&fWants != 0 {
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

// Adopt takes conn to the loop with the fewest sockets. There open is called
// with the new socket and returns its handler; if it returns nil, the
// connection is closed. Bytes that were read ahead come first to the handler.
// Any goroutine may call it. conn must not be used afterwards: a
// *net.TCPConn's descriptor is taken out of it and watched by the loop, any
// other connection is served by two goroutines of its own.
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
	if !l.must(taskFunc(func(now time.Time) { l.welcome(s, read, open) })) {
		s.destroy()
		return ErrShutdown
	}
	return nil
}

func (l *Loop) welcome(s *Sock, read []byte, open func(now time.Time, s *Sock) Handler) {
	if err := l.attach(s); err != nil {
		s.destroy()
		return
	}
	if s.h = open(l.now, s); s.h == nil {
		s.h = nobody{}
		s.cut(ErrClosed)
	}
	if s.flags&(fGone|fClosing) == 0 && len(read) > 0 {
		s.keep(read)
		s.flags |= fAgain
		s.queueRead()
	}
}

// nobody is the handler of a socket that nobody wanted.
type nobody struct{}

func (nobody) Read(_ time.Time, p []byte) int { return len(p) }
func (nobody) End(time.Time, []byte)          {}
func (nobody) Drained(time.Time)              {}
func (nobody) Closed(time.Time, error)        {}
