package loop

import "time"

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
	// untaken; rest may be kept. The socket can still be written; a handler that
	// has no use for that closes it.
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
	fFlushing             // a layer is being flushed: what it adds goes along
	fLeaving              // on the leaving list: do not read
	fReadable             // the kernel may have something to read
	fHup                  // the end is near: read until it comes
	fFailed               // the end is an error
	fPaused               // do not read
	fAgain                // present s.in again although nothing new came
	fEnded                // the peer has finished writing
	fBlocked              // the kernel refused bytes: wait until it is writable
	fWants                // Room said no: call Drained
	fClosing              // closing: discard what arrives
	fShut                 // our side is shut down
	fGone                 // closed
	fLittle               // hold little of what is untaken
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
	err    error // why it is closing, or closed
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
// the caller to append to and hand to Commit at once, before any other call of
// the socket: encoding in place. It is nil if the socket is closed; Commit then
// drops what it is given.
func (s *Sock) Reserve(n int) []byte {
	if q := s.owe(); q != nil {
		return q.tail(&s.loop.bufs, n).b
	}
	return nil
}

// Commit takes back what Reserve returned, grown by what the caller appended.
func (s *Sock) Commit(b []byte) {
	if s.flags&(fGone|fClosing) != 0 || s.out == nil || len(s.out.segs) == 0 {
		return
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
