package stream

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unique"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/wire"
)

// A link is one response that goes on, or a succession of polls. It belongs to
// its loop. There are many, so it holds what every one needs and no more.
type link struct {
	// Immutable after open.
	h       *Handler
	loop    *loop.Loop
	enc     *encoding
	recv    longwire.Receiver    // nil if the link was refused
	tls     *tls.ConnectionState // nil without TLS
	local   unique.Handle[netip.AddrPort]
	remote  netip.AddrPort
	request string // target and header, with a line feed between them
	id      id
	chunked bool // HTTP/1.1
	parked  bool

	// Owned by the loop.
	sock  *loop.Sock      // a stream's; nil until there is a head, and after it was given back
	taken *park.Taken     // where a stream's connection goes back to; nil if it does not
	box   *box            // what waits while there is no socket to take it; nil while there is
	poll  *poll           // nil for a stream
	tail  *tail           // what its ids end with; nil if that is nothing
	up    *waiting        // bodies that the receiver has no time for; nil while there are none
	end   *longwire.Close // why it is closing
	until time.Duration   // the end of its lifetime, since epoch; zero for never
	timer loop.Timer      // see beat.go
	spoke beat.Moment     // when something was last sent
	state uint8
}

// Bits of a link's state.
const (
	paused   = 1 << iota // the receiver does not want to hear more now
	closing              // nothing is sent or received any more
	told                 // the receiver has heard Closed
	resuming             // a task goes on with l.up
)

// A box keeps what is sent while no socket can take it.
type box struct {
	buf  []byte
	full bool // Send said ErrFull: Drained is owed
}

// A placer is an Acceptor that may know on which loop the link of a request
// belongs: its session's. The body is that of a POST. Nil leaves the choice.
type placer interface {
	LoopFor(r *http.Request, body []byte) *loop.Loop
}

func (h *Handler) place(r *http.Request, body []byte) *loop.Loop {
	if p, ok := h.Acceptor.(placer); ok {
		if l := p.LoopFor(r, body); l != nil {
			return l
		}
	}
	return h.Engine.Or().Loops().Least()
}

// newLink notes what a link shall know of its request. The request itself, with
// net/http's buffers, must not be held by it.
func (h *Handler) newLink(r *http.Request, body []byte, e *encoding) *link {
	l := &link{
		h: h, loop: h.place(r, body), enc: e,
		tls: r.TLS, local: unique.Make(localAddr(r)), remote: parseAddr(r.RemoteAddr),
		request: r.URL.RequestURI() + "\n" + string(longwire.HeaderOf(r.Header, used)),
	}
	rand.Read(l.id[:])
	l.timer.Owner = l
	return l
}

// used reports whether a header concerns the transport, or only the browser's
// own cache and rendering, and so is not kept.
func used(name string) bool {
	switch name {
	case "Accept", "Accept-Encoding", "Cache-Control", "Connection", "Content-Length", "Content-Type",
		"Expect", "Longwire-Secret", "Pragma", "Te", "Transfer-Encoding", "Upgrade-Insecure-Requests":
		return true
	}
	return strings.HasPrefix(name, "Sec-Fetch-") || strings.HasPrefix(name, "Sec-Ch-")
}

func localAddr(r *http.Request) netip.AddrPort {
	switch a := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	case net.Addr:
		return parseAddr(a.String())
	}
	return netip.AddrPort{}
}

// parseAddr reads an address as net/http has it, or as a middleware that knows
// the client behind a proxy may have set it, without a port.
func parseAddr(s string) netip.AddrPort {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	ip, _ := netip.ParseAddr(s) // zero if it is neither
	return netip.AddrPortFrom(ip, 0)
}

// Info makes the description anew each time: few ask for it, and none has to
// keep it. Any goroutine.
func (l *link) Info() *longwire.LinkInfo {
	target, header, _ := strings.Cut(l.request, "\n")
	return &longwire.LinkInfo{
		Transport: l.enc.Name, Parked: l.parked, Local: l.local.Value(), Remote: l.remote, TLS: l.tls,
		Target: target, Header: longwire.Header(header),
	}
}

func (l *link) Loop() *loop.Loop { return l.loop }

func (l *link) Form() *longwire.Form { return l.enc.form(l.chunked) }

func (l *link) Send(m *longwire.Message) (int, error) {
	b, end := l.framed(m)
	if l.box != nil {
		return l.put(b, end, false)
	}
	if err := l.room(len(b) + len(end)); err != nil {
		return l.unsent(), err
	}
	l.speak()
	l.sock.Lend(b)
	l.sock.Write(end)
	return l.sock.Waiting(), nil
}

func (l *link) SendFramed(b []byte, last bool) (int, error) {
	if l.box != nil {
		return l.put(b, nil, last)
	}
	if err := l.room(len(b)); err != nil && (!last || errors.Is(err, longwire.ErrClosed)) {
		return l.unsent(), err
	}
	l.speak()
	l.sock.Write(b)
	return l.sock.Waiting(), nil
}

func (l *link) room(n int) error {
	if l.state&closing != 0 {
		return longwire.ErrClosed
	}
	if !l.sock.Room(n) {
		return longwire.ErrFull
	}
	return nil
}

func (l *link) unsent() int {
	if l.sock == nil {
		return 0
	}
	return l.sock.Waiting()
}

// put is Send without a socket.
func (l *link) put(b, end []byte, last bool) (int, error) {
	q, held, n := l.box, len(l.box.buf), len(b)+len(end)
	if l.poll != nil {
		held += len(l.poll.kept.body)
	}
	switch {
	case l.state&closing != 0:
		return held, longwire.ErrClosed
	case held > 0 && held+n > l.most(n) && !last:
		q.full = true
		if l.poll != nil {
			l.poll.wake()
		}
		return held, longwire.ErrFull
	}
	q.buf = append(append(q.buf, b...), end...)
	if l.poll != nil && n > 0 {
		l.poll.wake()
	}
	return held + n, nil
}

// most returns how much may wait with a frame of n bytes. The one answer of a poll takes a last frame whatever its
// size: with nothing but a gap in it the next poll would be told the same, and so on.
func (l *link) most(n int) int {
	if l.poll != nil && l.poll.once {
		return wire.MaxQueuedOut + n
	}
	return wire.MaxQueuedOut
}

// Drained hears that the socket has room again.
func (l *link) Drained(now time.Time) {
	if l.state&closing == 0 {
		l.recv.Drained(now)
	}
}

// Read leaves what a client pipelines for whoever serves the connection next.
func (l *link) Read(time.Time, []byte) int { return 0 }

// End hears that the client has finished writing: for HTTP that is the end.
func (l *link) End(time.Time, []byte) {
	if l.state&closing == 0 {
		l.state |= closing
		l.end = &longwire.Close{Code: wire.CodeNormal, Remote: true}
	}
	l.sock.Close(l.end, wire.FlushTimeout)
}

// Closed hears that the socket is gone.
func (l *link) Closed(now time.Time, err error) {
	l.sock = nil
	if l.end == nil {
		code := wire.CodeLost
		if errors.Is(err, loop.ErrShutdown) {
			code = wire.CodeGoingAway
		}
		l.end = longwire.CloseOf(err, code)
	}
	l.tell(now)
}
