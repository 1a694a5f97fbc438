package park

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A reserve is one descriptor kept for when there are no more. Without it a
// connection that cannot be accepted stays in the kernel's queue, its client
// waits for an answer that does not come, and accept fails over and over. With
// it the connection is accepted, told that the server is full, and ended.
type reserve struct {
	log *slog.Logger

	mu     sync.Mutex
	held   io.Closer
	shut   bool // the listener is closed: never hold again
	logged time.Time
}

const (
	// fullWait is how long a connection that is refused may take to hear so.
	// Nobody else can be accepted meanwhile, there being one descriptor.
	fullWait = 100 * time.Millisecond
	// fullPoll is how often a full server looks whether someone waits.
	fullPoll = 20 * time.Millisecond
	fullLog  = 10 * time.Second
)

// What a client hears when no descriptors are left.
var (
	fullHTTP = []byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\n\r\n" +
		"The server is full. Try again shortly.\n")
	// fullTLS is a fatal internal_error alert (RFC 8446, section 6.2): a handshake
	// would cost more than a full server can give.
	fullTLS = []byte{21, 3, 3, 0, 2, 2, 80}
)

// hold takes the reserve, if it is not held, and reports whether it is now.
func (r *reserve) hold() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil && !r.shut {
		if f, err := os.Open(os.DevNull); err == nil {
			r.held = f
		}
	}
	return r.held != nil || r.shut
}

// keep makes a connection that was refused the reserve. To close it first and
// open another descriptor then would leave one free in between, for anybody.
func (r *reserve) keep(c io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held != nil || r.shut {
		c.Close()
		return
	}
	r.held = c
}

// drop lets go of the reserve and reports whether it was held.
func (r *reserve) drop() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		return false
	}
	r.held.Close()
	r.held = nil
	return true
}

// close lets go of the reserve for good.
func (r *reserve) close() {
	r.mu.Lock()
	r.shut = true
	r.mu.Unlock()
	r.drop()
}

// tell logs that connections are refused, once per 10 s.
func (r *reserve) tell(err error) {
	r.mu.Lock()
	now := time.Now()
	quiet := !r.logged.IsZero() && now.Sub(r.logged) < fullLog
	if !quiet {
		r.logged = now
	}
	r.mu.Unlock()
	if quiet {
		return
	}
	log := r.log
	if log == nil {
		log = slog.Default()
	}
	log.Warn("park: no descriptors left; new connections are refused until some are free; raise the limit (ulimit -n)",
		slog.Any("error", err))
}

func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// acceptFrom accepts by accept until that succeeds, refusing politely while
// there are no descriptors.
//
// accept fails for want of a descriptor before it looks whether anyone waits,
// and a reserve given up while nobody does would soon be somebody else's. So
// that is looked at first. Then accept is called again with the reserve given
// up; whether the server is still full is seen by taking the reserve again.
func acceptFrom[C io.ReadWriteCloser](ln *Listener, full []byte, accept func() (C, error)) (C, error) {
	var none C
	for {
		c, err := accept()
		switch {
		case ln.isClosed():
			if err == nil {
				c.Close()
			}
			return none, net.ErrClosed
		case err == nil && ln.reserve.hold():
			return c, nil
		case err == nil:
			ln.reserve.tell(syscall.EMFILE)
			refuse(c, full)
			ln.reserve.keep(c)
		case outOfDescriptors(err):
			if !someoneWaits(ln.inner) {
				ln.pause(fullPoll)
			} else if !ln.reserve.drop() {
				ln.reserve.tell(err)
				ln.pause(fullPoll)
			}
		case passing(err):
			ln.pause(fullPoll)
		default:
			return none, err
		}
	}
}

// passing reports whether an accept that failed so is worth another.
func passing(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Temporary() //nolint:staticcheck // deprecated, but what net/http goes by
}

// pause waits for d, or until the listener is closed.
func (ln *Listener) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ln.done:
	}
}

// refuse says last words to c and finishes writing, which is the end for the
// client. What that has sent is read first: closing over unread bytes makes the
// kernel send a reset, and the client never reads the words.
func refuse(c io.ReadWriteCloser, words []byte) {
	d, ok := c.(interface {
		SetDeadline(t time.Time) error
		CloseWrite() error
	})
	if !ok {
		c.Close()
		return
	}
	due := time.Now().Add(fullWait)
	d.SetDeadline(due)
	if _, err := c.Write(words); err != nil && len(words) > 0 {
		return
	}
	if d.CloseWrite() != nil {
		return
	}
	// A deadline of an fdConn is one for each Read. Whoever sends a byte now and
	// then must not keep the others from being accepted.
	buf := make([]byte, 4<<10)
	for time.Now().Before(due) {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}
