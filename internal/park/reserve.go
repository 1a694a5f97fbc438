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
// it the connection is accepted, told that the server is full, and closed.
type reserve struct {
	log *slog.Logger

	mu     sync.Mutex
	file   *os.File
	shut   bool // the listener is closed: never hold again
	logged time.Time
}

const (
	// fullWait is how long a connection that is refused may take to hear so.
	// Nobody else can be accepted meanwhile, there being one descriptor.
	fullWait = 100 * time.Millisecond
	// stolenWait is how long to wait when somebody else took even the reserve.
	stolenWait = 20 * time.Millisecond
	fullLog    = 10 * time.Second
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
	if r.file == nil && !r.shut {
		r.file, _ = os.Open(os.DevNull) // nil if that fails
	}
	return r.file != nil || r.shut
}

// close lets go of the reserve for good.
func (r *reserve) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut = true
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// drop lets go of the reserve and reports whether it was held.
func (r *reserve) drop() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return false
	}
	r.file.Close()
	r.file = nil
	return true
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
// accept fails for want of a descriptor before it looks whether anyone waits.
// So it is called again with the reserve given up; whether the server is still
// full when somebody comes is seen by taking the reserve again.
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
			ln.reserve.hold()
		case outOfDescriptors(err):
			if !ln.reserve.drop() {
				ln.reserve.tell(err)
				ln.pause(stolenWait)
			}
		case passing(err):
			ln.pause(stolenWait)
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

// refuse says last words and closes c. What the client has sent is read
// first: closing over unread bytes makes the kernel send a reset, and the
// client never reads the words.
func refuse(c io.ReadWriteCloser, words []byte) {
	defer c.Close()
	d, ok := c.(interface{ SetDeadline(time.Time) error })
	if len(words) == 0 || !ok || d.SetDeadline(time.Now().Add(fullWait)) != nil {
		return
	}
	if _, err := c.Write(words); err != nil {
		return
	}
	if w, ok := c.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		io.Copy(io.Discard, io.LimitReader(c, 64<<10))
	}
}
