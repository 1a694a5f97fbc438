package stream

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/wire"
)

// stream answers a request with a stream. The acceptor is asked before the
// header leaves, so that a refusal has its status; what it sends meanwhile waits
// in the link's box.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, e *encoding) {
	l := h.newLink(r, nil, e)
	l.box = &box{}
	t, err := park.Take(w, r)
	switch {
	case err == nil:
		l.park(t)
	case errors.Is(err, park.ErrNotParkable):
		l.hold(w, r)
	case errors.Is(err, park.ErrBody):
		wire.WriteProblem(w, 0, wire.Errorf(wire.CodeTooLarge, "a request for a stream has no body; send messages by POST"))
	default:
		// Its body did not come, or the client is gone already and hears nothing.
		h.log().Debug("stream: a connection could not be taken", slog.Any("error", err))
		wire.WriteProblem(w, 0, wire.Errorf(wire.CodeBadRequest, "a request for a stream has no body; this one's did not arrive"))
	}
}

// accept asks the acceptor. On the loop. What it returns, if not nil, is why
// the link is refused.
func (l *link) accept(now time.Time) *longwire.Close {
	h := l.h
	h.live.Add(1)
	h.links.add(l) // before the flag is looked at: Shutdown raises it, then looks here
	c := &longwire.Close{Code: wire.CodeDraining}
	if !h.closing.Load() {
		recv, err := h.Acceptor.Accept(now, l)
		if err == nil {
			l.recv = recv
			return nil
		}
		c = longwire.CloseOf(err, wire.CodeForbidden)
	}
	h.links.remove(l.id)
	h.leave()
	l.state |= closing | told
	l.end, l.box = c, nil
	return c
}

// acceptNow is accept from a request's goroutine.
func (l *link) acceptNow(then func(now time.Time)) *longwire.Close {
	answer := make(chan *longwire.Close, 1)
	ok := l.loop.Post(func(now time.Time) {
		c := l.accept(now)
		if c == nil && then != nil {
			then(now)
		}
		answer <- c
	})
	if !ok {
		return &longwire.Close{Code: wire.CodeOverloaded}
	}
	return <-answer
}

// park takes the link to its loop.
func (l *link) park(t *park.Taken) {
	head := t.Head(http.StatusOK, -1)
	l.chunked, l.parked = head.Chunked(), l.h.Engine.Or().Loops().Descriptors()
	if head.Reusable() {
		l.taken = t
	}
	_ = t.Adopt(l.loop, nil, func(now time.Time, s *loop.Sock) loop.Handler {
		l.sock = s
		s.ReadLittle()
		if c := l.accept(now); c != nil {
			l.refuse(now, t, head, c)
			return l
		}
		at := l.header(head.Header)
		b, err := park.AppendHead(make([]byte, 0, 512), now, head)
		if err != nil { // a middleware's header, which net/http would have refused
			l.h.log().Error("stream: no header", slog.Any("error", err))
			l.end = &longwire.Close{Code: wire.CodeInternal, Err: err}
			s.Close(l.end, 0)
			return l
		}
		s.Lend(l.appendOpening(b, at))
		l.opened(now)
		return l
	}) // if the loop has ended, the connection is closed
}

// hold serves the link by this goroutine, until it ends.
func (l *link) hold(w http.ResponseWriter, r *http.Request) {
	var at longwire.Position
	if c := l.acceptNow(func(time.Time) { at = l.header(w.Header()) }); c != nil {
		l.h.refuse(w, l.enc, c)
		return
	}
	held, err := park.Hold(w, r)
	if err == nil {
		err = l.loop.Adopt(held, nil, func(now time.Time, s *loop.Sock) loop.Handler {
			l.sock = s
			s.Write(l.appendOpening(nil, at))
			l.opened(now)
			return l
		})
	} else {
		wire.WriteProblem(w, 0, wire.Errorf(wire.CodeInternal, "the server cannot stream here; a middleware's ResponseWriter must have an Unwrap method"))
	}
	if err != nil {
		if end := (&closedTask{l, err}); !l.loop.PostTask(end) {
			end.Run(time.Now()) // the loop has ended, so nobody else is at it
		}
		return
	}
	held.Wait()
}

// closedTask ends a link that never had a socket.
type closedTask struct {
	l   *link
	err error
}

func (t *closedTask) Run(now time.Time) { t.l.Closed(now, t.err) }

// A header is a [longwire.Receiver] that has something to add to the header of
// a stream's response, and may know the position at which the stream begins.
type header interface {
	Header(h http.Header) longwire.Position
}

// header sets the header of a stream that begins. On the loop.
func (l *link) header(to http.Header) (at longwire.Position) {
	l.h.setHeader(to, l.enc)
	if l.h.Upstream {
		to.Set("Longwire-Link", l.id.String())
		to.Set("Longwire-Secret", l.h.secret(l.id))
	}
	if r, ok := l.recv.(header); ok {
		at = r.Header(to)
	}
	return at
}

func (l *link) appendOpening(dst []byte, at longwire.Position) []byte {
	if l.enc.Open == nil {
		return dst
	}
	o := &Opening{Retry: l.h.retry(), ID: l.idOf(at)}
	if l.h.Upstream {
		o.Link, o.Secret = l.id.String(), l.h.secret(l.id)
	}
	if l.chunked {
		begin := len(dst)
		return endChunk(l.enc.Open(beginChunk(dst), o), begin)
	}
	return l.enc.Open(dst, o)
}

func (h *Handler) retry() time.Duration {
	d := beat.Or(h.Retry, defaultRetry)
	return d/2 + time.Duration(rand.Float64()*float64(d))
}

// opened begins the life of a stream whose header is on its way. It runs in the
// socket's opening, where the socket cannot be given back yet.
func (l *link) opened(now time.Time) {
	l.live(now)
	l.sock.Write(l.box.buf)
	l.box.buf = nil
	if l.box.full || l.state&closing != 0 {
		l.loop.PostTask((*settleTask)(l))
		return
	}
	l.box = nil
}
