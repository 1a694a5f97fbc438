package stream

import (
	"bytes"
	"net/http"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/wire"
)

// refuse answers a request that the acceptor, or a server that drains, did not
// want: with the status of the code. But EventSource never comes again after
// any status but 200; so what may be tried again is told it by a stream that
// ends at once. What is a bad request and may be tried again all the same is one
// with an id that is no good: that is taken from EventSource.
func (h *Handler) refuse(w http.ResponseWriter, e *encoding, c *longwire.Close) {
	code := c.Code
	if code == "" {
		code = wire.CodeNormal
	}
	again := c.Retry > 0 || c.Retry == 0 && code.Retryable()
	if again && c.Retry == 0 {
		told := *c
		told.Retry = h.retry()
		c = &told
	}
	if again && e.media == "text/event-stream" && e.Close != nil {
		h.setHeader(w.Header(), e)
		var b []byte
		if code == wire.CodeBadRequest {
			b = append(b, noID...)
		}
		_, _ = w.Write(e.Close(b, c))
		return
	}
	status := code.Status()
	if status < http.StatusBadRequest {
		status = http.StatusServiceUnavailable
	}
	wire.WriteProblem(w, status, &wire.Error{Code: code, Message: c.Reason, Retry: c.Retry})
}

// refuse is the same on a connection that was taken from net/http.
func (l *link) refuse(now time.Time, t *park.Taken, head *park.Head, c *longwire.Close) {
	w := &answer{header: head.Header}
	l.h.refuse(w, l.enc, c)
	head.Status, head.Length = w.status, int64(w.body.Len())
	b, err := park.AppendHead(nil, now, head)
	if err != nil {
		l.sock.Close(err, 0)
		return
	}
	l.sock.Lend(append(b, w.body.Bytes()...))
	l.loop.Post(func(time.Time) { // now is the socket's opening, too early to give it back
		if l.sock != nil {
			t.GiveBack(l.sock, nil)
		}
	})
}

// An answer is a short response on its way to a connection that is ours.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
