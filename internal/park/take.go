package park

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

const (
	// maxBodyBytes is how much of a body that nobody read Take reads and drops,
	// as net/http does before it uses a connection again.
	maxBodyBytes = 256 << 10
	bodyTime     = 10 * time.Second
)

// A Taken is a connection that was taken from net/http, on its way to a loop.
// Once adopted it is small, and whoever wants to give the connection back
// keeps it; others drop it.
type Taken struct {
	// Header is what middleware and the handler had set to be sent. Adopt
	// forgets it.
	Header http.Header

	conn  net.Conn // nil once adopted
	ahead []byte   // read behind the request

	lower *Conn // the lower end of upper; nil without TLS of ours
	upper *tls.Conn
	srv   *http.Server // to give back to; nil if that cannot be
	minor int          // of HTTP/1
}

// Take takes the connection of an HTTP/1 request out of net/http's hands. It
// is called by the request's handler, before anything was written; the body,
// if there is one, should be read.
//
// Any HTTP/1 connection can be taken, at different cost: one of ours, or a
// plain *net.TCPConn, is parked as a descriptor; ours under TLS, with its TLS
// state; another is served by two goroutines, which [Unparked] counts.
//
// If the error wraps [ErrNotParkable], nothing has happened to w and r, and
// [Hold] serves them.
//
// The request's context ends when the handler returns: copy out of it what is
// needed for longer.
func Take(w http.ResponseWriter, r *http.Request) (*Taken, error) {
	if r.ProtoMajor != 1 {
		return nil, notParkable(reasonHTTP2)
	}
	rc := http.NewResponseController(w)
	if err := dropBody(rc, r); err != nil {
		return nil, err
	}
	t := &Taken{Header: w.Header(), minor: r.ProtoMinor}
	if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && !r.Close {
		t.srv = srv
	}
	conn, rw, err := rc.Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		return nil, notParkable(reasonNoHijack)
	}
	if err != nil {
		return nil, fmt.Errorf("park: hijack: %w", err)
	}
	t.ahead = buffered(rw.Reader)
	t.unwrap(conn)
	return t, nil
}

// dropBody reads what the handler left of the body, so that it is not taken
// for what the peer says later.
func dropBody(rc *http.ResponseController, r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	rc.SetReadDeadline(time.Now().Add(bodyTime))
	n, err := io.CopyN(io.Discard, r.Body, maxBodyBytes+1)
	switch {
	case errors.Is(err, io.EOF):
		rc.SetReadDeadline(time.Time{}) // if Hijack fails, the request goes on waiting
		return nil
	case err == nil && n > maxBodyBytes:
		return ErrBody
	default:
		return fmt.Errorf("park: reading the request's body: %w", err)
	}
}

func buffered(r *bufio.Reader) []byte {
	p, _ := r.Peek(r.Buffered())
	return bytes.Clone(p)
}

// unwrap finds what can be parked under conn, as net/http had it.
func (t *Taken) unwrap(conn net.Conn) {
	if a, ok := conn.(*aheadConn); ok { // given back before
		t.ahead = append(t.ahead, a.ahead...)
		a.heard()
		conn = a.Conn
	}
	switch c := conn.(type) {
	case *Conn:
		t.ahead = append(t.ahead, c.ahead...)
		c.ahead = nil
		c.heard()
		t.conn = c.inner
	case *tls.Conn:
		t.conn = c
		if lower, ok := c.NetConn().(*Conn); ok {
			lower.heard()
			t.lower, t.upper = lower, c
			t.conn = lower.inner
		} else {
			countUnparked(reasonForeignTLS)
			return
		}
	default:
		t.conn = conn
	}
	if _, ok := t.conn.(*net.TCPConn); !ok {
		countUnparked(reasonForeign + fmt.Sprintf("%T", t.conn))
	}
}

// Adopt takes the connection to a loop, or the one of a group with the fewest
// sockets. head leaves first and must not change any more. open is called
// on the loop with the new socket and returns its handler, which hears first
// what the peer had sent behind its request. If open returns nil, or the loop
// has ended, the connection is closed.
func (t *Taken) Adopt(to Adopter, head []byte, open func(now time.Time, s *loop.Sock) loop.Handler) error {
	conn, ahead := t.conn, t.ahead
	if conn == nil {
		return net.ErrClosed
	}
	t.conn, t.ahead, t.Header = nil, nil, nil
	begin := func(now time.Time, s *loop.Sock) loop.Handler {
		s.Lend(head)
		return open(now, s)
	}
	if t.upper != nil {
		return adoptTLS(to, t.lower, t.upper, ahead, begin)
	}
	return to.Adopt(conn, ahead, begin)
}

// Close closes a connection that was taken and is not going to be adopted.
func (t *Taken) Close() error {
	conn := t.conn
	if conn == nil {
		return nil
	}
	t.conn = nil
	if t.upper != nil {
		return t.upper.Close()
	}
	return conn.Close()
}

// Reusable reports whether the connection may serve further requests after
// this one: whether, after a response with an end, [Taken.GiveBack] will give
// it back. It may not if the client says Connection: close, or speaks HTTP/1.0
// without keep-alive.
func (t *Taken) Reusable() bool { return t.srv != nil }

// Head begins the head of a response, with the headers that were set. length
// is the body's, or -1 if it is not known. A response whose length is not
// known ends with the connection on HTTP/1.0, and by the last chunk on
// HTTP/1.1; the connection stays open after it if it is reusable.
func (t *Taken) Head(status int, length int64) *Head {
	return &Head{Status: status, Header: t.Header, Minor: t.minor, Length: length, Close: !t.Reusable()}
}
