package stream

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/longwire/longwire"
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
//   - Of two polls the newer wins. The older is answered at once, without
//     messages and with "superseded":true.
//   - What waits to be fetched is bounded as on any link, the kept answer included.
//   - A link that nobody polls for PollWithin is lost. One that was closed tells
//     its polls so for as long.
//
// Without a link, GET ?wait=25s is one answer: what its receiver sends until
// there is something to tell, or nothing after that time. The link lives as long.
//
// Polls that have to wait do so parked, and their connections go back to the
// server with the answer.

const (
	defaultWait = 25 * time.Second
	maxWait     = 60 * time.Second // what proxies commonly allow
)

// A poll is what a link that is polled has beside the others. It belongs to
// its link's loop.
type poll struct {
	l      *link
	once   bool // one answer, and the link ends
	posted bool // a task is about to answer

	number  uint64 // of the last answer with messages
	kept    []byte // that answer, until it is acknowledged
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
	l := h.newLink(r, h.polling)
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
	l := h.newLink(r, h.polling)
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
	if p.waiting != nil && p.ready() {
		p.give(now)
	}
}

func (p *poll) ready() bool { return len(p.l.box.buf) > 0 || p.l.end != nil }

// hear takes a poll.
func (p *poll) hear(now time.Time, a *ask) {
	l := p.l
	switch {
	case p.l.box == nil:
		a.answer(now, reply{err: refusalOf(wire.CodeNotFound)})
		return
	case a.ack > p.number:
		a.answer(now, reply{err: wire.Errorf(wire.CodeBadRequest, "there was no answer %d yet", a.ack)})
		return
	}
	if old := p.waiting; old != nil {
		p.waiting = nil
		old.answer(now, p.reply(p.body(nil, `,"superseded":true`)))
	}
	if p.kept != nil && a.ack == p.number {
		p.kept = nil
		p.roomAgain(now)
	}
	p.waiting = a
	if p.kept == nil && !p.ready() && a.wait > 0 {
		a.done <- reply{wait: true}
		l.loop.After(a.wait, &l.timer)
		return
	}
	p.give(now)
}

// roomAgain lets a receiver go on that found the link full.
func (p *poll) roomAgain(now time.Time) {
	if l := p.l; l.box.full && l.state&closing == 0 {
		l.box.full = false
		l.recv.Drained(now)
	}
}

// give answers the poll that waits with what there is.
func (p *poll) give(now time.Time) {
	a, l := p.waiting, p.l
	p.waiting = nil
	var body []byte
	switch {
	case p.kept != nil:
		body = p.kept
	case len(l.box.buf) > 0:
		p.number++
		body = p.body(l.box.buf[:len(l.box.buf)-1], "")
		l.box.buf = nil
		p.kept = body
	default:
		body = p.body(nil, "")
	}
	a.answer(now, p.reply(body))
	if p.once {
		p.ended(&longwire.Close{Code: wire.CodeNormal})
		return
	}
	p.expect()
}

func (p *poll) reply(body []byte) reply {
	if p.once {
		return reply{body: body}
	}
	return reply{body: body, number: p.number, numbered: true}
}

// body makes an answer of elements joined by commas.
func (p *poll) body(elements []byte, more string) []byte {
	b := append(make([]byte, 0, len(elements)+64), '{')
	if !p.once {
		b = append(b, `"answer":`...)
		b = strconv.AppendUint(b, p.number, 10)
		b = append(b, ',')
	}
	b = append(b, `"messages":[`...)
	b = append(b, elements...)
	b = append(b, ']')
	b = append(b, more...)
	if p.l.end != nil && more == "" && p.l.enc.Close != nil {
		b = append(b, `,"close":`...)
		b = p.l.enc.Close(b, p.l.end)
	}
	return append(b, "}\n"...)
}

// expect waits for the next poll.
func (p *poll) expect() { p.l.loop.After(or(p.l.h.PollWithin, pollWithin), &p.l.timer) }

// late is the timer: of the poll that waits, or for the next one.
func (p *poll) late(now time.Time) {
	l := p.l
	switch {
	case p.waiting != nil:
		if r, ok := l.recv.(heart); ok && l.state&closing == 0 {
			r.Heartbeat(now)
		}
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

// left hears that the client of a poll is gone.
func (p *poll) left(a *ask) {
	if p.waiting != a {
		return
	}
	p.waiting = nil
	if p.once {
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
	p.kept = nil
}

// finish is Close: the receiver hears that the link is closed, and who polls
// it, or does so later, gets what was sent before and is told why.
func (p *poll) finish() {
	l := p.l
	l.loop.PostTask((*tellTask)(l))
	p.wake()
	if p.once && p.waiting == nil {
		return // its only poll comes at once
	}
	if p.waiting == nil {
		p.expect()
	}
}
