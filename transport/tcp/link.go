package tcp

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// A link is one TCP connection. It belongs to its socket's loop.
type link struct {
	sock   *loop.Sock
	srv    *Server
	recv   longwire.Receiver
	local  *netip.AddrPort // the listener's, shared
	remote netip.AddrPort
	tls    *tls.Conn // nil without TLS; only its state may be asked
	watch  *watch    // nil mostly; see heartbeat.go
	seen   int32     // bytes of an unfinished message that were looked at
	state  uint8
}

const (
	paused = 1 << iota
	closing
	moving // on the way to another loop: nothing is sent or received
	ended  // the peer has finished writing
	untold // that is to be told
)

func (l *link) Loop() *loop.Loop     { return l.sock.Loop() }
func (l *link) Form() *longwire.Form { return l.srv.form }

func (l *link) Info() *longwire.LinkInfo {
	i := &longwire.LinkInfo{Transport: "tcp", Parked: l.srv.Engine.Or().Loops().Descriptors(), Local: *l.local, Remote: l.remote}
	if l.tls != nil {
		cs := l.tls.ConnectionState()
		i.TLS = &cs
	}
	return i
}

func (l *link) Send(m *longwire.Message) (int, error) {
	b := m.Frame(l.srv.form)
	if err := l.room(len(b)); err != nil {
		return l.sock.Waiting(), err
	}
	l.sock.Lend(b)
	return l.sock.Waiting(), nil
}

func (l *link) SendFramed(b []byte, last bool) (int, error) {
	if err := l.room(len(b)); err != nil && (!last || l.state&moving != 0) {
		return l.sock.Waiting(), err
	}
	l.sock.Write(b)
	return l.sock.Waiting(), nil
}

func (l *link) room(n int) error {
	switch {
	case l.state&closing != 0:
		return longwire.ErrClosed
	case l.state&moving != 0 || !l.sock.Room(n):
		return longwire.ErrFull
	}
	return nil
}

func (l *link) Pause(on bool) {
	if on {
		l.state |= paused
	} else if l.state&paused != 0 {
		l.state &^= paused
		if w := l.watch; w != nil {
			w.heard = beat.At(l.sock.Loop().Now()) // it could not be heard meanwhile
		}
	}
	l.sock.SetRead(!on)
}

func (l *link) Close(c longwire.Close) {
	if l.state&closing != 0 {
		return
	}
	l.state |= closing
	if f := l.srv.Farewell; f != nil {
		if p := f(&c); p != nil {
			l.sock.Write(l.srv.form.Append(nil, l.srv.framing().Kind, p))
		}
	}
	l.sock.Close(&c, wire.FlushTimeout)
}

// A leaver is a [longwire.Receiver] that has last words.
type leaver interface{ Leave(now time.Time) }

// Leave hears that the engine ends.
func (l *link) Leave(now time.Time) {
	if r, ok := l.recv.(leaver); ok {
		r.Leave(now)
	}
	l.Close(longwire.Close{Code: wire.CodeGoingAway})
}

// Read cuts what arrived into messages, until the receiver pauses, closes or
// moves the link.
func (l *link) Read(now time.Time, p []byte) int {
	if l.watch != nil {
		l.watch.hear(now)
	}
	took, seen := 0, int(l.seen)
	for took < len(p) && l.state&(paused|closing|moving) == 0 {
		body, n, err := l.next(p[took:], seen)
		if err != nil {
			l.Close(*longwire.CloseOf(err, wire.CodeBadFrame))
			return len(p)
		}
		if n == 0 {
			l.seen = int32(len(p) - took)
			return took
		}
		took += n
		seen = 0
		if body != nil {
			l.recv.Receive(now, l.srv.framing().Kind, body)
		}
	}
	l.seen = 0
	return took
}

// next asks the framing, which may be the user's own.
func (l *link) next(p []byte, seen int) (body []byte, n int, err error) {
	defer l.survive()
	return l.srv.framing().Next(p, seen, l.srv.maxMessage())
}

// rest is next for what comes after the last whole message.
func (l *link) rest(p []byte) (body []byte, ok bool) {
	defer l.survive()
	return l.srv.framing().Rest(p)
}

// survive ends this link if its framing panicked at what the peer sent, and
// not the loop with all the others.
func (l *link) survive() {
	v := recover()
	if v == nil {
		return
	}
	l.srv.log().Error("tcp: a framing panicked; its connection is closed",
		slog.String("framing", l.srv.framing().Name), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	l.Close(longwire.Close{Code: wire.CodeHandlerPanic})
}

// End hears that the peer has finished writing.
func (l *link) End(now time.Time, rest []byte) {
	l.state |= ended | untold
	f := l.srv.framing()
	if len(rest) > 0 && f.Rest != nil && l.state&closing == 0 {
		if body, ok := l.rest(rest); ok {
			l.recv.Receive(now, f.Kind, body)
		}
	}
	if l.state&moving == 0 {
		l.tellEnd(now)
	}
}

// An ender is a [longwire.Receiver] with use for a link whose peer has finished writing.
type ender interface{ Ended(now time.Time) }

// tellEnd lets a receiver keep the link that has use for one that can only be
// written.
func (l *link) tellEnd(now time.Time) {
	l.state &^= untold
	if e, ok := l.recv.(ender); ok {
		e.Ended(now)
		return
	}
	l.Close(longwire.Close{Code: wire.CodeNormal, Remote: true})
}

func (l *link) Drained(now time.Time) { l.recv.Drained(now) }

func (l *link) Closed(now time.Time, err error) {
	if l.watch != nil {
		l.watch.timer.Stop()
	}
	l.state |= closing
	l.recv.Closed(now, longwire.CloseOf(err, wire.CodeLost))
}
