package longwire

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/longwire/longwire/wire"
)

// Hooks run on a goroutine that a session has while it has work for them, in the
// order of its frames. What a frame changes is changed on the loop, by an effect
// that the goroutine posts; so it is done in order too.

// An effect is something to be done on a session's loop.
type effect func(now time.Time)

// Run does it.
func (f effect) Run(now time.Time) { f(now) }

// frames are frames of a session that wait. Nil are none.
type frames struct {
	buf   []byte
	items []waitingFrame
}

type waitingFrame struct {
	l       *line
	n       int
	refused *wire.Error // it is not taken up; nil mostly
}

var framesPool = sync.Pool{New: func() any { return new(frames) }}

func (q *frames) full() bool {
	return q != nil && (len(q.items) >= wire.MaxQueuedIn || len(q.buf) >= wire.MaxQueuedInBytes)
}

func (q *frames) free() {
	if cap(q.buf) <= maxPooled {
		clear(q.items)
		*q = frames{buf: q.buf[:0], items: q.items[:0]}
		framesPool.Put(q)
	}
}

// enqueue has a frame wait, or its refusal.
func (s *Session) enqueue(l *line, p []byte, refused *wire.Error) {
	m := s.rare()
	if m.queue == nil {
		m.queue = framesPool.Get().(*frames)
	}
	m.queue.buf = append(m.queue.buf, p...)
	m.queue.items = append(m.queue.items, waitingFrame{l, len(p), refused})
	if m.queue.full() && s.line == l {
		s.pace(l)
	}
}

// work goes on with the frames that wait, unless those before them are not done, or
// their answers not taken by the link: some are large.
func (s *Session) work() {
	if s.busy() || s.flags&sOver != 0 || s.more == nil || s.more.queue == nil || s.more.queue.mustWait(s) {
		return
	}
	s.flags |= sBusy
	j := &job{s: s, q: s.more.queue}
	s.more.queue = nil
	s.hub.loop.Go(j)
}

// A job is some frames on the goroutine for hooks.
type job struct {
	s     *Session
	q     *frames
	frame wire.Frame
}

// mustWait reports whether the first frame of the queue has to wait for
// publications before it.
func (q *frames) mustWait(s *Session) bool {
	if s.acks.Load() == nil || len(q.items) == 0 {
		return false
	}
	f, it := &wire.Frame{}, q.items[0]
	return s.mustWait(f, read(f, q.buf[:it.n], it.refused))
}

// Work takes up the frames. One that subscribes may have to wait for history;
// then those behind it do as well. So do those behind one that the loop publishes,
// because the loop knows only then that its answer is to be waited for, and behind a
// piece of history, for which the link may have no room.
func (j *job) Work() {
	s, f := j.s, &j.frame
	for len(j.q.items) > 0 {
		it := j.q.items[0]
		p := j.q.buf[:it.n]
		err := read(f, p, it.refused)
		if s.mustWait(f, err) {
			break
		}
		j.q.items, j.q.buf = j.q.items[1:], j.q.buf[it.n:]
		if err != nil {
			s.later(it.l, f.ID, err)
			continue
		}
		j.take(it.l, p)
		if f.Op == wire.OpSubscribe || f.Op == wire.OpHistory || f.Op == wire.OpPublish && !s.node.hooked(f.Op) {
			break
		}
	}
	s.hub.loop.PostTask(j)
}

// Run hears that the goroutine is done.
func (j *job) Run(now time.Time) {
	s, m := j.s, j.s.rare()
	if len(j.q.items) > 0 {
		if m.queue != nil {
			j.q.items = append(j.q.items, m.queue.items...)
			j.q.buf = append(j.q.buf, m.queue.buf...)
			m.queue.free()
		}
		m.queue = j.q
	} else {
		j.q.free()
	}
	s.flags &^= sBusy
	s.goOn(now)
}

// goOn goes on with what waited for the session to be free.
func (s *Session) goOn(now time.Time) {
	s.work()
	if s.line != nil {
		s.pace(s.line)
		s.pump(now)
	}
	if s.line != nil && !s.line.deaf {
		s.line.finish()
	}
}

// take takes up one frame. What its link was to be told is of no use on a later
// one, which was told where the session stood: so nothing but publications comes
// of it then.
func (j *job) take(l *line, p []byte) {
	s, f := j.s, &j.frame
	var err error
	switch {
	case s.node.hooked(f.Op):
		err = s.node.survive(func() error { return j.ask(l, f) })
	case f.Op == wire.OpCall || f.Op == wire.OpSend: // not by the loop: it may be refused behind what the next frame publishes
		err = s.unheard(f)
	default:
		own := append([]byte(nil), p...)
		s.hub.loop.PostTask(effect(func(now time.Time) {
			if f := &s.hub.frame; parse(f, own) == nil && (f.Op == wire.OpPublish || s.line == l) {
				s.obey(now, l, f)
			}
		}))
	}
	switch {
	case err == nil:
	case early(f.Op):
		s.refuseInTurn(l, f.ID, err)
	default:
		s.later(l, f.ID, err)
	}
}

// later refuses a frame from another goroutine than the loop's.
func (s *Session) later(l *line, id uint64, err error) {
	s.hub.loop.PostTask(effect(func(time.Time) { s.refuse(l, id, err) }))
}

// hooked reports whether frames of an op are the goroutine's.
func (n *Node) hooked(op wire.Op) bool {
	h := &n.opts.Handler
	switch op {
	case wire.OpSubscribe:
		return h.Subscribe != nil
	case wire.OpPublish:
		return h.Publish != nil
	case wire.OpCall:
		return h.Call != nil
	case wire.OpSend:
		return h.Send != nil
	case wire.OpRefresh:
		return h.Connect != nil
	case wire.OpHistory:
		return true
	}
	return false
}

// ask calls the hook of a frame, and posts what follows from it.
func (j *job) ask(l *line, f *wire.Frame) error {
	s, h := j.s, &j.s.node.opts.Handler
	ctx := s.node.ctx
	switch f.Op {
	case wire.OpSubscribe:
		return s.askSubscribe(ctx, l, f)
	case wire.OpPublish:
		return s.askPublish(ctx, l, f)
	case wire.OpCall:
		return s.call(l, f)
	case wire.OpSend:
		kind, data, _, err := s.node.valueOf(f)
		if err == nil {
			h.Send(s, string(f.Method), kind, data)
		}
		return err
	case wire.OpHistory:
		return s.askHistory(ctx, l, f)
	case wire.OpRefresh:
		return s.askRefresh(ctx, l, f)
	}
	return nil
}

// askPublish publishes what the hook makes of a publication.
func (s *Session) askPublish(ctx context.Context, l *line, f *wire.Frame) error {
	p, err := s.publicationOf(f)
	if err != nil {
		return err
	}
	kind, data := p.Kind, p.Data
	if err := s.node.opts.Handler.Publish(ctx, s, p); err != nil {
		return err
	}
	if err := s.node.changed(p, kind, data); err != nil {
		return err
	}
	s.publish(l, f.ID, p)
	return nil
}

func (s *Session) askSubscribe(ctx context.Context, l *line, f *wire.Frame) error {
	name, id := string(f.Channel), f.ID
	from, err := parseSince(string(f.Since))
	if err == nil {
		err = wire.CheckPattern(name)
	}
	if err == nil {
		err = s.node.opts.Handler.Subscribe(ctx, s, name)
	}
	if err == nil {
		s.hub.loop.PostTask(effect(func(now time.Time) {
			if s.line != l {
				return
			}
			if err := s.beginSubscription(now, l, id, name, from); err != nil {
				s.refuse(l, id, err)
			}
		}))
	}
	return err
}

func (s *Session) askHistory(ctx context.Context, l *line, f *wire.Frame) error {
	id, name := f.ID, string(f.Channel)
	from, err := historySince(string(f.Since))
	if err != nil {
		return err
	}
	if err := s.mayRead(ctx, name); err != nil {
		return err
	}
	page, err := s.node.history(ctx, name, from, f.Limit)
	if err != nil {
		return s.node.failed(err)
	}
	b := append(page.append(wire.AppendReply(nil, id)), '}')
	s.hub.loop.PostTask(effect(func(time.Time) { s.reply(l, b) }))
	return nil
}

// mayRead is whether a session may read a channel without subscribing to it:
// whether it may subscribe.
func (s *Session) mayRead(ctx context.Context, name string) error {
	if err := wire.CheckPattern(name); err != nil {
		return err
	}
	if h := s.node.opts.Handler.Subscribe; h != nil {
		return h(ctx, s, name)
	}
	return s.mayName(name)
}

func (s *Session) askRefresh(ctx context.Context, l *line, f *wire.Frame) error {
	id := f.ID
	peer, err := s.node.opts.Handler.Connect(ctx, &ConnectRequest{Token: string(f.Token), Link: l.link.Info()})
	if err != nil {
		return err
	}
	if userOf(peer) != s.Peer().User {
		return wire.Errorf(wire.CodeForbidden, "the token is another user's; open another link for them")
	}
	s.peer.Store(peer)
	s.hub.loop.PostTask(effect(func(time.Time) { s.reply(l, append(wire.AppendReply(s.hub.scratch[:0], id), '}')) }))
	return nil
}

func userOf(p *Peer) string {
	if p == nil {
		return ""
	}
	return p.User
}

// survive calls a hook, so that a panic ends what it was asked about, and nothing else.
func (n *Node) survive(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			n.log.Error("longwire: a hook panicked; what it was asked for is refused",
				slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			err = &wire.Error{Code: wire.CodeHandlerPanic}
		}
	}()
	if err = f(); err != nil {
		if _, ok := errors.AsType[*wire.Error](err); !ok {
			err = n.errorOf(err)
		}
	}
	return err
}
