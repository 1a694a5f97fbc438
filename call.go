package longwire

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire/wire"
)

// ErrReplied says that a call was answered before. The first answer counts.
var ErrReplied = errors.New("longwire: this call was answered already")

// A Call is a request of a session that waits for its answer. Its methods may be
// called from any goroutine. A call that is never answered is never answered: its
// peer gives up when it likes, and a session has at most 1,024 of them before it
// is not read any more.
type Call struct {
	Method string // 1 to 128 bytes
	Kind   Kind
	Data   []byte // the handler's to keep

	session  *Session
	line     *line
	id       uint64
	answered atomic.Bool
}

// Session returns who asks.
func (c *Call) Session() *Session { return c.session }

// Reply answers, with a copy of data, which must be what kind says and not over the
// message limit (too_large): else there is an error, and no answer yet. If the link on which the call
// came is gone, nobody hears the answer.
func (c *Call) Reply(kind Kind, data []byte) error {
	data, err := c.session.node.outgoing(kind, data)
	if err != nil {
		return err
	}
	b := wire.AppendReply(make([]byte, 0, len(data)+64), c.id)
	return c.answer(append(wire.AppendData(b, wire.Type(kind), "", data), '}'))
}

// Fail answers with an error: a [wire.Error] in err as it is, any other as
// internal, and its text is logged and not told.
func (c *Call) Fail(err error) error {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		c.session.node.log.Warn("longwire: a call failed", "method", c.Method, "err", err)
		e = &wire.Error{Code: wire.CodeInternal}
	}
	return c.answer(wire.AppendError(nil, c.id, e))
}

func (c *Call) answer(b []byte) error {
	if c.answered.Swap(true) {
		return ErrReplied
	}
	s, l := c.session, c.line
	s.hub.loop.PostTask(effect(func(time.Time) {
		s.owed.Add(-1)
		s.reply(l, b)
		s.answered()
	}))
	return nil
}

// call hands a call to the hook.
func (s *Session) call(l *line, f *wire.Frame) error {
	kind, data, _, err := s.node.valueOf(f)
	if err != nil {
		return err
	}
	c := &Call{Method: string(f.Method), Kind: kind, Data: data, session: s, line: l, id: f.ID}
	s.owed.Add(1)
	if err := s.node.survive(func() error { s.node.opts.Handler.Call(s, c); return nil }); err != nil {
		_ = c.Fail(err) // it may have answered before it panicked
	}
	return nil
}
