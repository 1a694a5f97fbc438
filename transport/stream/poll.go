package stream

import (
	"net/http"
	"net/url"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/wire"
)

// Long-polling. A link that is polled is opened by POST without ?link=, which
// is answered 201 with {"link":…,"secret":…}; a body is its first
// message. Then GET ?link=ID&wait=25s&ack=N, with the header Longwire-Secret,
// waits for an answer:
//
//   - Answers with messages are numbered, in the header Longwire-Answer and in
//     the body. The last one is kept until a poll acknowledges it by its
//     number, and given again to any poll that does not: so an answer that was
//     written and never received is not lost. Answers without messages repeat the
//     last number.
//   - Links of one session have different numbers. A poll with one of an earlier
//     link is late: it is told that it is superseded.
//   - Of two polls the newer wins. The older is answered at once, without
//     messages and with "superseded":true.
//   - What waits to be fetched is bounded as on any link, the kept answer included.
//   - A link that nobody polls for PollWithin is lost. One that was closed tells
//     its polls so for as long.
//
// Without a link, GET ?wait=25s is one answer: what its receiver sends until
// there is something to tell, or nothing after that time. The link lives as long.
//
// A receiver that has not settled is still about to send what there was before; a
// poll whose time is over waits for that, for a while. The one answer without a link waits for
// it in any case, or until it has no more room: nothing but its position goes on to
// the next poll, and one that told of a gap alone would be answered with that gap again,
// and never with what follows it.
//
// Polls that have to wait do so parked, and their connections go back to the
// server with the answer.

const (
	defaultWait = 25 * time.Second
	maxWait     = 60 * time.Second // what proxies commonly allow
	settleTime  = 5 * time.Second  // for history to be read
)

// A settler is a [longwire.Receiver] that may be about to send something by
// itself, as what it reads from history. It calls Wake of its link once it has
// settled.
type settler interface {
	Settled() bool
}

// A poll is what a link that is polled has beside the others. It belongs to
// its link's loop.
type poll struct {
	l      *link
	once   bool // one answer, and the link ends
	posted bool // a task is about to answer
	late   bool // the poll that waits could be answered, but the receiver has not settled

	before  uint64 // up to there numbers are those of earlier links; see NumberOn
	number  uint64 // of the last answer with messages
	kept    reply  // that answer, until it is acknowledged; without a body there is none
	waiting *ask   // the poll that waits, if one does
}

// open makes l a link that is polled.
func (l *link) openPoll(once bool) {
	l.poll = &poll{l: l, once: once}
	l.box = &box{}
	l.parked = l.h.Engine.Or().Loops().Descriptors() // it lives on its loop alone, whatever its polls cost
}

// pollOpen answers POST without a link.
func (h *Handler) pollOpen(w http.ResponseWriter, r *http.Request) {
	if h.polling == nil {
		wire.WriteProblem(w, 0, wire.Errorf(wire.CodeBadRequest, "name the link with ?link=; its stream has told it"))
		return
	}
	d, err := h.readBody(w, r)
	if err != nil {
		wire.WriteProblem(w, 0, err)
		return
	}
	l := h.newLink(r, nil, h.polling)
	l.openPoll(false)
	c := l.acceptNow(func(now time.Time) {
		l.poll.expect()
		if d.size > 0 {
			d.l = l
			d.Run(now)
		}
	})
	if c != nil {
		h.refuse(w, l.enc, c)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(append(appendCredentials(nil, l.id.String(), h.secret(l.id)), '\n'))
}

// pollAgain answers GET with a link.
func (h *Handler) pollAgain(w http.ResponseWriter, r *http.Request, q url.Values) {
	l, err := h.linkOf(r, q)
	if err == nil && l.poll == nil {
		err = wire.Errorf(wire.CodeBadRequest, "this link is a stream; it cannot be polled")
	}
	var a *ask
	if err == nil {
		a, err = newAsk(l, q)
	}
	if err != nil {
		wire.WriteProblem(w, 0, err)
		return
	}
	a.serve(w, r)
}

// pollOnce answers GET ?wait= without a link.
func (h *Handler) pollOnce(w http.ResponseWriter, r *http.Request, q url.Values) {
	l := h.newLink(r, nil, h.polling)
	l.openPoll(true)
	a, err := newAsk(l, q)
	if err != nil {
		wire.WriteProblem(w, 0, err)
		return
	}
	if c := l.acceptNow(nil); c != nil {
		h.refuse(w, l.enc, c)
		return
	}
	a.serve(w, r)
}

// Wake has a poll answered that waits for the receiver only to settle. On the loop.
func (l *link) Wake() {
	if l.poll != nil {
		l.poll.wake()
	}
}

// wake has messages answered at the end of what the loop is at, so that those
// that come together go together.
func (p *poll) wake() {
	if p.waiting != nil && !p.posted {
		p.posted = true
		p.l.loop.PostTask(p)
	}
}

// Run answers the poll that waits.
func (p *poll) Run(now time.Time) {
	p.posted = false
	switch {
	case p.waiting == nil:
	case p.ready() || p.late && p.settled():
		p.give(now)
	case len(p.l.box.buf) > 0 && !p.late:
		p.late = true
		p.l.loop.After(settleTime, &p.l.timer)
	}
}

// ready reports whether there is something to answer, and all that goes with it.
func (p *poll) ready() bool {
	box := p.l.box
	return p.l.end != nil || len(box.buf) > 0 && (!p.once || box.full || p.settled())
}

func (p *poll) settled() bool {
	r, ok := p.l.recv.(settler)
	return !ok || p.l.state&closing != 0 || r.Settled()
}

// hear takes a poll.
func (p *poll) hear(now time.Time, a *ask) {
	l := p.l
	switch {
	case p.l.box == nil:
		a.answer(now, reply{err: l.h.gone()})
		return
	case a.ack > p.number:
		a.answer(now, reply{err: wire.Errorf(wire.CodeBadRequest, "there was no answer %d yet", a.ack)})
		return
	case a.ack > 0 && a.ack <= p.before:
		a.answer(now, reply{err: &wire.Error{Code: wire.CodeSuperseded}})
		return
	}
	if old := p.waiting; old != nil {
		p.waiting = nil
		old.answer(now, p.reply(p.body(nil, "", true)))
	}
	if p.kept.body != nil && a.ack == p.number {
		p.kept = reply{}
		p.roomAgain(now)
	}
	p.waiting, p.late = a, false
	if p.kept.body != nil || p.ready() {
		p.give(now)
		return
	}
	wait := a.wait
	if wait == 0 || len(p.l.box.buf) > 0 {
		if p.settled() {
			p.give(now)
			return
		}
		p.late, wait = true, settleTime
	}
	a.done <- reply{wait: true}
	l.loop.After(wait, &l.timer)
}

// roomAgain lets a receiver go on that found the link full.
func (p *poll) roomAgain(now time.Time) {
	if l := p.l; l.box.full && l.state&closing == 0 {
		l.box.full = false
		l.recv.Drained(now)
	}
}

// expect waits for the next poll.
func (p *poll) expect() { p.l.loop.After(beat.Or(p.l.h.PollWithin, pollWithin), &p.l.timer) }

// fire is the timer: of the poll that waits, or for the next one.
func (p *poll) fire(now time.Time) {
	l := p.l
	switch {
	case p.waiting != nil && !p.late && !p.waiting.opens && !p.settled():
		p.late = true
		l.loop.After(settleTime, &l.timer)
	case p.waiting != nil:
		p.speak(now)
		if p.waiting != nil {
			p.give(now)
		}
	case l.state&closing != 0:
		p.forget()
	default:
		l.state |= closing
		p.ended(&longwire.Close{Code: wire.CodeLost})
	}
}

// speak lets a receiver speak that has no other way to say where it stands.
func (p *poll) speak(now time.Time) {
	if _, ok := p.l.recv.(standing); ok || p.l.state&closing != 0 {
		return
	}
	if r, ok := p.l.recv.(heart); ok {
		r.Heartbeat(now)
	}
}

// left hears that the client of a poll is gone.
func (p *poll) left(a *ask) {
	if p.waiting != a {
		return
	}
	p.waiting = nil
	if p.once || a.opens {
		p.ended(&longwire.Close{Code: wire.CodeNormal, Remote: true})
		return
	}
	p.expect()
}

// ended is the end of a link that tells no more polls.
func (p *poll) ended(c *longwire.Close) {
	l := p.l
	l.state |= closing
	if l.end == nil {
		l.end = c
	}
	p.forget()
	l.loop.PostTask((*tellTask)(l))
}

func (p *poll) forget() {
	l := p.l
	l.timer.Stop()
	l.h.links.remove(l.id)
	l.box = nil
	p.kept = reply{}
}

// finish is Close: the receiver hears that the link is closed, and who polls
// it, or does so later, gets what was sent before and is told why.
func (p *poll) finish() {
	l := p.l
	p.wake() // first, while the receiver can still say where it stands
	l.loop.PostTask((*tellTask)(l))
	if p.once && p.waiting == nil {
		return // its only poll comes at once
	}
	if p.waiting == nil {
		p.expect()
	}
}
