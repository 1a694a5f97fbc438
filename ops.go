package longwire

import (
	"bytes"
	"errors"
	"time"

	"github.com/longwire/longwire/wire"
)

// Frames of a session are taken up in order (docs/protocol.md, section 3). One
// that no hook is asked about is obeyed on the loop at once. Others are queued for
// a goroutine, and so are those behind them; see work.go.

// take takes up a frame, which may be refused already.
func (s *Session) take(now time.Time, l *line, p []byte, refused *wire.Error) {
	if s.busy() || s.more != nil && s.more.queue != nil {
		s.enqueue(l, p, refused)
		return
	}
	f := &s.hub.frame
	err := read(f, p, refused)
	if refused == nil && !l.late && (err == nil || f.Op == wire.OpConnect || s.flags&sPolled != 0) { // a POST opens a session whatever it says
		l.late = true
		if s.begins(now, l, f, p, err) {
			return
		}
	}
	switch {
	case s.mustWait(f, err):
		s.enqueue(l, p, refused)
	case err != nil:
		s.refuse(l, f.ID, err)
	case s.node.hooked(f.Op):
		s.enqueue(l, p, nil)
		s.work()
	default:
		s.obey(now, l, f)
	}
}

// read parses a frame; one that is refused already only for its id.
func read(f *wire.Frame, p []byte, refused *wire.Error) error {
	err := parse(f, p)
	if refused != nil {
		return refused
	}
	return err
}

// parse parses a frame that may have to be parsed again elsewhere.
func parse(f *wire.Frame, p []byte) error {
	if bytes.IndexByte(p, '\\') >= 0 {
		p = bytes.Clone(p) // Parse unescapes where strings stand
	}
	return f.Parse(p)
}

// begins sees to the beginning of a session by its first frame. It reports
// whether the frame was taken up, or waits. A connect that is no good, which bad
// says, ends the link: what follows it counts on the session that it asked for.
func (s *Session) begins(now time.Time, l *line, f *wire.Frame, p []byte, bad error) bool {
	switch {
	case s.flags&sBegun != 0:
		return false
	case f.Op == wire.OpConnect && bad != nil:
		l.refuse(&connecting{id: f.ID}, bad)
		return true
	case f.Op == wire.OpConnect:
		l.connect(now, newConnecting(f, s.node.opts.MaxSubscriptions))
		return true
	case s.node.opts.Handler.Connect == nil:
		l.connect(now, &connecting{told: s.flags&sPolled != 0})
		return false
	}
	l.connect(now, &connecting{told: s.flags&sPolled != 0})
	s.enqueue(l, p, nil)
	return true
}

// obey does what a frame asks for, where no hook has to be asked or one has
// agreed.
func (s *Session) obey(now time.Time, l *line, f *wire.Frame) {
	var err error
	switch f.Op {
	case wire.OpSubscribe:
		err = s.obeySubscribe(now, l, f)
	case wire.OpUnsubscribe:
		err = s.obeyUnsubscribe(l, f)
	case wire.OpPublish:
		err = s.obeyPublish(l, f)
	case wire.OpPing:
		s.reply(l, wire.AppendPong(s.hub.scratch[:0], f.ID))
	case wire.OpPong:
	case wire.OpConnect:
		err = errLateConnect
	case wire.OpSend, wire.OpCall:
		err = s.unheard(f)
	case wire.OpPresence:
		err = errNoPresence
	case wire.OpRefresh:
		s.reply(l, append(wire.AppendReply(s.hub.scratch[:0], f.ID), '}'))
	default:
		err = &wire.Error{Code: wire.CodeUnknownOp}
	}
	switch {
	case err == nil:
	case early(f.Op):
		s.refuseInTurn(l, f.ID, err)
	default:
		s.refuse(l, f.ID, err)
	}
	if s.line == l && s.owed.Load() >= maxOwed {
		s.pace(l)
	}
}

var (
	errLateConnect = wire.Errorf(wire.CodeBadRequest, "connect is the first frame of a link or none; open another link for another session")
	errNoCalls     = wire.Errorf(wire.CodeNotFound, "nobody handles calls here; the program has no Handler.Call")
	errNoPresence  = wire.Errorf(wire.CodeNotFound, "presence is off for this channel")
)

// unheard takes up a send or call that there is no hook for. It is refused for what
// it would be refused for otherwise.
func (s *Session) unheard(f *wire.Frame) error {
	if _, _, _, err := s.node.valueOf(f); err != nil || f.Op == wire.OpSend {
		return err
	}
	return errNoCalls
}

// refuse answers a frame with an error.
func (s *Session) refuse(l *line, id uint64, err error) {
	s.reply(l, wire.AppendError(s.hub.scratch[:0], id, s.node.errorOf(err)))
}

// errorOf returns err as what may be told to a peer.
func (n *Node) errorOf(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	if c, ok := errors.AsType[*Close](err); ok {
		return &wire.Error{Code: c.code(), Message: c.Text(), Retry: c.Retry}
	}
	n.log.Warn("longwire: a hook refused", "err", err)
	return &wire.Error{Code: wire.CodeForbidden}
}

// failed returns what a peer is told if the broker failed, and nobody refused.
func (n *Node) failed(err error) error {
	if _, ok := errors.AsType[*wire.Error](err); ok {
		return err
	}
	n.log.Error("longwire: the broker failed", "err", err)
	return &wire.Error{Code: wire.CodeInternal}
}

// reply sends one frame on l, also beyond what a link queues: whoever does not
// read his replies is not read any more. B may be used again.
func (s *Session) reply(l *line, b []byte) {
	if l.deaf || s.line != l {
		return
	}
	waiting, err := l.link.SendFramed(l.link.Form().Append(s.hub.framed[:0], JSON, b), true)
	if err != nil || waiting <= wire.MaxQueuedOut {
		return
	}
	// It was taken whatever waited. Only who is refused hears Drained.
	if _, err := l.link.SendFramed(nil, false); errors.Is(err, ErrFull) {
		s.flags |= sFull | sOver
		s.pace(l)
	}
}

// pace reads the peer only while there is room for its frames and the answers
// to them.
func (s *Session) pace(l *line) {
	hold := s.flags&sOver != 0 || s.owed.Load() >= maxOwed || s.more != nil && s.more.queue.full()
	if hold != l.held {
		l.held = hold
		l.link.Pause(hold)
		if !hold && s.more != nil && s.more.posts != nil {
			s.hub.loop.PostTask(effect(s.pump)) // frames by POST wait, too
		}
	}
}

// maxOwed bounds the calls and publications of a session that wait for their
// answers.
const maxOwed = 1024

func (s *Session) obeySubscribe(now time.Time, l *line, f *wire.Frame) error {
	from, err := parseSince(string(f.Since))
	if err != nil {
		return err
	}
	return s.beginSubscription(now, l, f.ID, string(f.Channel), from)
}

// beginSubscription subscribes for a frame, and replies, now or when its place is known.
func (s *Session) beginSubscription(now time.Time, l *line, id uint64, name string, from since) error {
	if err := s.maySubscribe(name); err != nil {
		return err
	}
	t, told := s.subscribeSince(name, from)
	if told {
		s.rare().catch.then = func(now time.Time, gaps []gap) { s.replySubscribed(now, l, id, t, len(gaps) > 0) }
	} else {
		s.replySubscribed(now, l, id, t, false)
	}
	s.catchUp(now)
	return nil
}

func (s *Session) replySubscribed(now time.Time, l *line, id uint64, t *sub, gap bool) {
	if t.list == nil { // the program has ended it meanwhile
		s.refuse(l, id, &wire.Error{Code: wire.CodeNotSubscribed})
		return
	}
	at := s.placeOf(t, now)
	b := wire.AppendSubscribeReply(s.hub.scratch[:0], id, t.name(), string(at), gap)
	if s.line == l && s.flags&sTailed != 0 && s.more.catching() == 0 {
		// The event has an id: with an older one the peer would come back to before it subscribed.
		s.tell(bytes.Clone(b), s.position(now))
		return
	}
	if s.flags&sTailed != 0 || s.flags&sStream != 0 && t.catches() {
		s.notTold(t)
	}
	s.reply(l, b)
}

// maySubscribe checks what no hook is asked about, and in its place, first, whether the name
// is for the session.
func (s *Session) maySubscribe(name string) error {
	if err := wire.CheckPattern(name); err != nil {
		return err
	}
	if s.node.opts.Handler.Subscribe == nil {
		if err := s.mayName(name); err != nil {
			return err
		}
	}
	if s.find(name) != nil {
		return &wire.Error{Code: wire.CodeAlreadySubscribed}
	}
	if most := s.node.opts.MaxSubscriptions; len(s.subs) >= most {
		return errTooMany(most)
	}
	return nil
}

func errTooMany(most int) error {
	return wire.Errorf(wire.CodeForbidden, "a session has at most %d subscriptions; unsubscribe, or use a pattern", most)
}

func (s *Session) obeyUnsubscribe(l *line, f *wire.Frame) error {
	t := s.find(string(f.Channel))
	if t == nil {
		return &wire.Error{Code: wire.CodeNotSubscribed}
	}
	b := wire.AppendChannelReply(s.hub.scratch[:0], f.ID, t.name())
	s.unsubscribe(t)
	s.reply(l, append(b, '}'))
	return nil
}

func (s *Session) obeyPublish(l *line, f *wire.Frame) error {
	p, err := s.publicationOf(f)
	if err == nil {
		err = s.mayPublish(p.Channel)
	}
	if err != nil {
		return err
	}
	s.publish(l, f.ID, p)
	return nil
}

// mayPublish is asked where no hook is.
func (s *Session) mayPublish(channel string) error {
	if s.node.opts.Open {
		return nil
	}
	return wire.Errorf(wire.CodeForbidden, "this server takes no publications from clients; the program has no Handler.Publish")
}

// publicationOf returns what a publish frame asks to publish, with bytes of its own.
func (s *Session) publicationOf(f *wire.Frame) (*Publication, error) {
	p := &Publication{Channel: string(f.Channel), Key: string(f.Key), From: s.ID()}
	if err := wire.CheckChannel(p.Channel); err != nil {
		return nil, err
	}
	var contentType []byte
	var err error
	if p.Kind, p.Data, contentType, err = s.node.valueOf(f); err != nil {
		return nil, err
	}
	p.ContentType = string(contentType)
	p.Headers, err = f.HeaderMap()
	return p, err
}
