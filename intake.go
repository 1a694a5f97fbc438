package longwire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// An intake is the body of a request while it arrives. It has bodyTime, unless its
// handler says otherwise; but a client that sends no more must not hold up the end
// of the node. So once that takes nobody new, what is under way has intakeGrace to
// come, and then reading fails with the code draining. One that no handler reads to
// its end has no more time either: net/http reads on before it answers, and has no
// bound of its own.
type intake struct {
	io.ReadCloser
	node   *Node
	rc     *http.ResponseController
	forget func() bool // takes back that the end is to be told

	mu    sync.Mutex
	grace time.Duration // guarded by mu, as all that follows
	until time.Time     // when the grace is over; zero while the node serves
	done  bool          // the body has come or failed, or its handler is through
}

const intakeGrace = time.Second

// inTime stands before every handler, and before whoever refuses requests whose bodies
// have yet to come.
func (n *Node) inTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		b := n.takeIn(w, r)
		defer b.end()
		in := *r
		in.Body = b
		next.ServeHTTP(w, &in)
	})
}

func (n *Node) takeIn(w http.ResponseWriter, r *http.Request) *intake {
	b := &intake{ReadCloser: r.Body, node: n, rc: http.NewResponseController(w), grace: intakeGrace}
	b.setDeadline(time.Now().Add(bodyTime))
	b.forget = context.AfterFunc(n.serving, b.hurry)
	return b
}

func (b *intake) setDeadline(t time.Time) { _ = b.rc.SetReadDeadline(t) } // not every ResponseWriter can

// hurry hears that the node ends.
func (b *intake) hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = time.Now().Add(b.grace)
	b.limit()
}

// limit sees to it that the grace is the last word. With mu held.
func (b *intake) limit() {
	if !b.until.IsZero() && !b.done {
		b.setDeadline(b.until)
	}
}

// noGrace ends the body at once when the node ends: what came until then is worth
// something by itself.
func (b *intake) noGrace() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.grace = 0
	if !b.until.IsZero() {
		b.until = time.Now()
		b.limit()
	}
}

// Read reads on.
func (b *intake) Read(p []byte) (int, error) {
	b.mu.Lock()
	b.limit() // the handler may have set a time of its own
	b.mu.Unlock()
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = true
	if !b.until.IsZero() && errors.Is(err, os.ErrDeadlineExceeded) {
		return n, b.node.goAway(0)
	}
	return n, err
}

// end is the handler's: whoever has the connection next sets times of its own.
func (b *intake) end() {
	b.forget()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.done {
		b.done = true
		b.setDeadline(time.Now().Add(intakeGrace))
	}
}
