package tcp

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/longwire/longwire"
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
	silent *silence  // until the first byte came
	seen   int32     // bytes of an unfinished message that were looked at
	state  uint8
}

const (
	paused = 1 << iota
	closing
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
	if err := l.room(len(b)); err != nil && !last {
		return l.sock.Waiting(), err
	}
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

func (l *link) Pause(on bool) {
	if on {
		l.state |= paused
	} else {
		l.state &^= paused
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

// Leave hears that the engine ends.
func (l *link) Leave(now time.Time) {
	if r, ok := l.recv.(longwire.Leaver); ok {
		r.Leave(now)
	}
	l.Close(longwire.Close{Code: wire.CodeGoingAway})
}

// Read cuts what arrived into messages.
func (l *link) Read(now time.Time, p []byte) int {
	if l.silent != nil {
		l.silent.timer.Stop()
		l.silent = nil
	}
	took, seen := 0, int(l.seen)
	for took < len(p) && l.state == 0 {
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
		l.recv.Receive(now, l.srv.framing().Kind, body)
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

// End hears that the peer has finished writing. A receiver that has use for
// a link that can only be written keeps it.
func (l *link) End(now time.Time, rest []byte) {
	f := l.srv.framing()
	if len(rest) > 0 && f.Rest != nil && l.state&closing == 0 {
		if body, ok := l.rest(rest); ok {
			l.recv.Receive(now, f.Kind, body)
		}
	}
	if e, ok := l.recv.(longwire.Ender); ok {
		e.Ended(now)
		return
	}
	l.Close(longwire.Close{Code: wire.CodeNormal, Remote: true})
}

func (l *link) Drained(now time.Time) { l.recv.Drained(now) }

func (l *link) Closed(now time.Time, err error) {
	if l.silent != nil {
		l.silent.timer.Stop()
	}
	l.state |= closing
	l.recv.Closed(now, longwire.CloseOf(err, wire.CodeLost))
}

// silence ends a connection that says nothing at all.
type silence struct {
	timer loop.Timer
	link  *link
}

func (s *silence) Fire(time.Time) {
	s.link.silent = nil
	s.link.Close(longwire.Close{Code: wire.CodeHandshakeTimeout})
}
