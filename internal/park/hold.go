package park

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// A Held is the response of a request that cannot be parked (HTTP/2, or a
// middleware that cannot hijack) as a net.Conn, so that a loop can adopt it
// and the same code serves it. Its handler waits for it:
//
//	w.Header().Set("Content-Type", "text/event-stream")
//	held, err := park.Hold(w, r)
//	if err == nil {
//		err = group.Adopt(held, nil, open)
//	}
//	if err == nil {
//		held.Wait()
//	}
//
// What is written becomes the body as it is: net/http frames it.
type Held struct {
	rc     *http.ResponseController
	gone   <-chan struct{} // the request's context has ended
	local  net.Addr
	remote heldAddr

	once   sync.Once
	closed chan struct{}

	mu   sync.Mutex // held during a write, and taken by Wait for good
	w    http.ResponseWriter
	over bool // the handler returns: w is net/http's again
}

// Hold sends the header, and makes the rest of the response a connection. It
// fails if w cannot flush, as in some middleware: then there is no streaming
// to this client, and the handler may still answer. The handler must not
// return before Wait has, unless Hold or Adopt failed.
func Hold(w http.ResponseWriter, r *http.Request) (*Held, error) {
	h := &Held{
		rc: http.NewResponseController(w), w: w,
		gone: r.Context().Done(), closed: make(chan struct{}),
		remote: heldAddr(r.RemoteAddr),
	}
	h.local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if h.local == nil {
		h.local = heldAddr("")
	}
	if err := h.rc.Flush(); err != nil {
		return nil, fmt.Errorf("park: the response cannot be streamed: %w", err)
	}
	h.rc.SetReadDeadline(time.Time{}) // the server's timeouts are for requests, not for streams
	h.rc.SetWriteDeadline(time.Time{})
	return h, nil
}

// Wait returns once the connection was closed. No write happens afterwards.
func (h *Held) Wait() {
	<-h.closed
	if !h.mu.TryLock() {
		h.rc.SetWriteDeadline(time.Unix(1, 0)) // ends a write that waits for the client, and with it the response
		h.mu.Lock()
	}
	defer h.mu.Unlock()
	h.over, h.w = true, nil
}

// Read waits until the client is gone or the connection is closed. What a
// request brings after its header is read by its handler, before Hold.
func (h *Held) Read([]byte) (int, error) {
	select {
	case <-h.gone:
		return 0, io.EOF
	case <-h.closed:
		return 0, net.ErrClosed
	}
}

// Write fails if the client takes nothing for 30 s: it is dead, or nearly so. A
// socket has TCP_USER_TIMEOUT for that.
func (h *Held) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over || h.isClosed() {
		return 0, net.ErrClosed
	}
	h.rc.SetWriteDeadline(time.Now().Add(defaultUserTimeout))
	n, err := h.w.Write(p)
	if err == nil {
		err = h.rc.Flush()
	}
	if err == nil {
		h.rc.SetWriteDeadline(time.Time{}) // HTTP/2 would end the stream by it though nothing is being written
	}
	return n, err
}

func (h *Held) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// Close ends the response. It does not wait for a write.
func (h *Held) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// CloseWrite is Close: a response has no other half.
func (h *Held) CloseWrite() error { return h.Close() }

// LocalAddr returns the server's address.
func (h *Held) LocalAddr() net.Addr { return h.local }

// RemoteAddr returns the client's address.
func (h *Held) RemoteAddr() net.Addr { return h.remote }

// SetDeadline sets the write deadline; see SetReadDeadline.
func (h *Held) SetDeadline(t time.Time) error {
	return errors.Join(h.SetReadDeadline(t), h.SetWriteDeadline(t))
}

// SetReadDeadline is not supported: nothing is ever read.
func (h *Held) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline is as for net.Conn.
func (h *Held) SetWriteDeadline(t time.Time) error {
	if h.isClosed() {
		return net.ErrClosed
	}
	return h.rc.SetWriteDeadline(t)
}

// heldAddr is an address as net/http tells it.
type heldAddr string

func (heldAddr) Network() string  { return "tcp" }
func (a heldAddr) String() string { return string(a) }
