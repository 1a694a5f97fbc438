package stream

import (
	"net/http"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Sessions by long-polling. POST opens a link that is polled; its body is
// frames, one on each line, as the receiver hears them from any link. It is
// answered as a poll is, but with 201, as soon as the receiver has sent
// something: who its client is now. A link that ends before, or of which nothing
// is heard for connectTime, is not opened, and the answer says why.
//
// Whose further polls are, the receiver's node knows, and brings them by ServePoll;
// there is no ?link=. What else the client sends reaches the node directly.

// connectTime is how long a receiver may take to ask whoever decides about a client.
const connectTime = 10 * time.Second

func (h *Handler) connect(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	if h.closing.Load() {
		wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeDraining, Retry: h.retry()})
		return
	}
	body, err := readAll(w, r, wire.MaxFrame(h.MaxMessage))
	if err != nil {
		wire.WriteProblem(w, 0, err)
		return
	}
	l := h.newLink(r, body, h.polling)
	l.openPoll(false)
	c := l.acceptNow(func(now time.Time) {
		if len(body) > 0 {
			newFrames(l, body).Run(now)
		}
	})
	if c != nil {
		h.refuse(w, l.enc, c)
		return
	}
	a := &ask{l: l, wait: connectTime, opens: true, done: make(chan reply, 2)}
	a.serve(w, r)
}

func newFrames(l *link, body []byte) *delivery {
	return &delivery{l: l, kind: longwire.JSON, lines: true, raw: true, body: body, size: len(body), done: make(chan wire.Code, 1)}
}

// refuse answers the POST that was to open the link.
func (p *poll) refuse(now time.Time, a *ask) {
	l := p.l
	if l.end == nil {
		l.end = &longwire.Close{Code: wire.CodeUnavailable, Reason: "whoever decides about new sessions did not answer in time; try again later"}
	}
	a.answer(now, reply{end: l.end})
	p.ended(l.end)
}

// Numbered returns the highest number that an answer has or may yet get: one that
// waits may still be given to a poll that is on its way, also once the link is
// closed. On the loop.
func (l *link) Numbered() uint64 {
	if l.poll == nil {
		return 0
	}
	return l.poll.number + 1
}

// NumberOn has the link's answers numbered from the one after that on, because its
// receiver had other links before. On the loop, before the first answer.
func (l *link) NumberOn(from uint64) {
	if l.poll != nil {
		l.poll.before, l.poll.number = from, from
	}
}

// ServePoll answers a GET that polls the link, with ?wait=25s&ack=N; HEAD gets the
// header alone, and polls nothing. That the client may do so is for the caller to
// know. Any goroutine.
func (l *link) ServePoll(w http.ResponseWriter, r *http.Request) {
	if l.poll == nil {
		wire.WriteProblem(w, 0, errNoPolls)
		return
	}
	a, err := newAsk(l, r.URL.Query())
	if err != nil {
		wire.WriteProblem(w, 0, err)
		return
	}
	if r.Method == http.MethodHead {
		l.h.setHeader(w.Header(), l.enc) // at once: an answer whose body nobody gets must not be taken for given
		return
	}
	a.serve(w, r)
}

var errNoPolls = wire.Errorf(wire.CodeBadRequest, "this is not polled: what it sends comes down its stream")

// gone is what is said of a link that has ended and is forgotten.
func (h *Handler) gone() *wire.Error {
	if h.session {
		return &wire.Error{Code: wire.CodeSessionMoved}
	}
	return refusalOf(wire.CodeNotFound)
}
