package stream

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/wire"
)

// An ask is one poll: a request that waits for an answer. It is served by its
// goroutine if there is an answer at once, else parked.
type ask struct {
	l     *link
	ack   uint64 // 0: none
	wait  time.Duration
	opens bool       // it is the POST that opens the link; see connect.go
	done  chan reply // capacity 2: that it has to wait, and the answer

	// Owned by the loop, once parked.
	sock  *loop.Sock // nil before, and once answered
	taken *park.Taken
	head  *park.Head
}

// A reply is what an ask gets.
type reply struct {
	wait     bool // there is nothing yet: wait
	err      *wire.Error
	end      *longwire.Close // the link was not opened, because of this
	header   http.Header     // the receiver's; nil if it has nothing to add
	body     []byte
	number   uint64
	numbered bool
}

func newAsk(l *link, q url.Values) (*ask, *wire.Error) {
	a := &ask{l: l, wait: defaultWait, done: make(chan reply, 2)}
	if s := q.Get("wait"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return nil, wire.Errorf(wire.CodeBadRequest, "wait is a duration such as 25s")
		}
		a.wait = min(d, maxWait)
	}
	if s := q.Get("ack"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return nil, wire.Errorf(wire.CodeBadRequest, "ack is the number of an answer")
		}
		a.ack = n
	}
	return a, nil
}

// Run brings the ask to its link.
func (a *ask) Run(now time.Time) { a.l.poll.hear(now, a) }

// leaveTask takes an ask back.
type leaveTask ask

func (t *leaveTask) Run(time.Time) { t.l.poll.left((*ask)(t)) }

var errDraining = &wire.Error{Code: wire.CodeDraining}

// serve answers the request, or parks it.
func (a *ask) serve(w http.ResponseWriter, r *http.Request) {
	if !a.l.loop.PostTask(a) {
		wire.WriteProblem(w, 0, errDraining)
		return
	}
	rep := <-a.done
	if !rep.wait {
		a.write(w, rep)
		return
	}
	t, err := park.Take(w, r)
	switch {
	case err == nil:
		a.park(t)
	case errors.Is(err, park.ErrNotParkable):
		a.stay(w, r)
	default:
		a.l.loop.PostTask((*leaveTask)(a))
		wire.WriteProblem(w, 0, wire.Errorf(wire.CodeBadRequest, "a poll has no body"))
	}
}

// stay waits with the request's goroutine.
func (a *ask) stay(w http.ResponseWriter, r *http.Request) {
	t := time.NewTimer(a.wait + settleTime + wire.FlushTimeout) // the loop has its own; this is for one that has ended
	defer t.Stop()
	select {
	case rep := <-a.done:
		a.write(w, rep)
		return
	case <-r.Context().Done():
	case <-t.C:
		wire.WriteProblem(w, 0, errDraining)
	}
	a.l.loop.PostTask((*leaveTask)(a))
}

// park waits on the loop.
func (a *ask) park(t *park.Taken) {
	a.head = t.Head(http.StatusOK, 0)
	a.taken = t
	err := t.Adopt(a.l.loop, nil, func(_ time.Time, s *loop.Sock) loop.Handler {
		a.sock = s
		s.ReadLittle()
		select {
		case rep := <-a.done:
			a.l.loop.PostTask(&lateTask{a, rep}) // now the socket is only opening
		default:
		}
		return a
	})
	if err != nil {
		a.l.loop.PostTask((*leaveTask)(a))
	}
}

// lateTask gives an answer that came while the ask was on its way to the loop.
type lateTask struct {
	a   *ask
	rep reply
}

func (t *lateTask) Run(now time.Time) { t.a.answer(now, t.rep) }

// answer answers, once. On the loop.
func (a *ask) answer(now time.Time, rep reply) {
	s := a.sock
	if s == nil {
		a.done <- rep // to the goroutine, or to the socket's opening
		return
	}
	w := &answer{header: a.head.Header}
	a.write(w, rep)
	a.head.Status, a.head.Length = w.status, int64(w.body.Len())
	b, err := park.AppendHead(nil, now, a.head)
	a.sock, a.head = nil, nil
	if err != nil {
		a.l.h.log().Error("stream: no header", slog.Any("error", err))
		s.Close(err, 0)
		return
	}
	s.Lend(append(b, w.body.Bytes()...))
	a.taken.GiveBack(s, nil)
}

func (a *ask) write(w http.ResponseWriter, rep reply) {
	if rep.err != nil {
		wire.WriteProblem(w, 0, rep.err)
		return
	}
	if rep.end != nil {
		a.l.h.refuse(w, a.l.enc, rep.end)
		return
	}
	maps.Copy(w.Header(), rep.header)
	if a.opens {
		w.Header().Set("Cache-Control", "no-store") // it may tell a secret
	}
	a.l.h.setHeader(w.Header(), a.l.enc)
	if rep.numbered {
		w.Header().Set("Longwire-Answer", strconv.FormatUint(rep.number, 10))
	}
	if a.opens {
		w.WriteHeader(http.StatusCreated)
	}
	_, _ = w.Write(rep.body) // a client that is gone asks again
}

// Read leaves what a client pipelines for whoever serves the connection next.
func (a *ask) Read(time.Time, []byte) int { return 0 }

// End hears that the client has finished writing: for HTTP that is the end.
func (a *ask) End(time.Time, []byte) {
	a.l.poll.left(a)
	if s := a.sock; s != nil {
		s.Close(nil, 0)
	}
}

// Drained is of no interest: there is one answer, and it goes at once.
func (a *ask) Drained(time.Time) {}

// Closed hears that the socket is gone.
func (a *ask) Closed(time.Time, error) {
	a.l.poll.left(a)
	a.sock = nil
}
