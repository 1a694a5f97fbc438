package longwire

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/wire"
)

// Frames by POST (docs/protocol.md, section 5.4.2). Requests of one client arrive in
// any order, and one that was answered may have its answer lost, so a client
// numbers its frames: Longwire-Seq is the number of a body's first. Bodies are
// taken up in order; frames that were taken up before are dropped, and a body ahead
// of its turn waits for those before it, for a while.
type posts struct {
	next  uint64  // the number of the next frame
	body  []*body // taken over, and not all taken up: in order
	ahead []*body
	bytes int // of ahead
	timer loop.Timer
	s     *Session
}

// A body is what one request brought.
type body struct {
	seq   uint64 // zero: it is next, whatever its number
	rest  []byte
	count uint64
	until time.Time
	done  chan error // capacity 1
}

const (
	postPatience = 5 * time.Second // for a body whose predecessors are missing
	postTurn     = 256             // frames that are taken up before others have their turn
)

var (
	errMoved      = &wire.Error{Code: wire.CodeSessionMoved}
	errWrongProof = wire.Errorf(wire.CodeForbidden, "the header Longwire-Secret is not this session's")
	errMissing    = wire.Errorf(wire.CodeOutOfOrder, "the frames before these did not come within %v; send them, then these again", postPatience)
	errFarAhead   = wire.Errorf(wire.CodeOutOfOrder, "too much waits for frames that have not come: at most %d bodies or %d bytes may be ahead", wire.MaxQueuedIn, wire.MaxQueuedInBytes)
	errTooMuch    = &wire.Error{Code: wire.CodeRateLimited, Message: "the session has not taken up what was posted before; wait, then send it again", Retry: time.Second}
)

// session finds a session and checks who asks for it.
func (n *Node) session(id, secret string) (*Session, error) {
	if s := n.resumable(&connecting{session: id, secret: secret}); s != nil {
		return s, nil
	}
	if n.knows(id) {
		return nil, errWrongProof
	}
	return nil, errMoved
}

// sessionPost takes over a body of frames, the first of which has the number seq; zero
// means that they are next. It waits for those before them.
func (n *Node) sessionPost(ctx context.Context, id, secret string, seq uint64, frames []byte) error {
	s, err := n.session(id, secret)
	if err != nil {
		return err
	}
	p := &body{seq: seq, rest: frames, count: countFrames(frames), done: make(chan error, 1)}
	if !s.hub.loop.PostTask(effect(func(now time.Time) { s.post(now, p) })) {
		return errMoved
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// countFrames counts the lines that are not empty.
func countFrames(b []byte) (n uint64) {
	for line := range bytes.Lines(b) {
		if len(bytes.TrimSpace(line)) > 0 {
			n++
		}
	}
	return n
}

// sessionPoll answers a poll of a session's link.
func (n *Node) sessionPoll(w http.ResponseWriter, r *http.Request, id, secret string) error {
	s, err := n.session(id, secret)
	if err != nil {
		return err
	}
	type answer struct {
		p   polled
		err error
	}
	found := make(chan answer, 1)
	ok := s.hub.loop.PostTask(effect(func(time.Time) {
		p, err := s.polled()
		found <- answer{p, err}
	}))
	if !ok {
		return errMoved
	}
	a := <-found
	if a.err != nil {
		return a.err
	}
	a.p.ServePoll(w, r)
	return nil
}

// polled returns the link that polls of the session are for: the one that it has, or
// its last, which still has to tell why it ended.
func (s *Session) polled() (polled, error) {
	if s.more != nil && s.more.last != nil {
		return s.more.last, nil
	}
	if s.line == nil {
		return nil, errNotPolled
	}
	p, _ := s.line.link.(polled)
	if s.flags&sPolled == 0 || p == nil {
		return nil, errSuperseded // by a link of another kind
	}
	return p, nil
}

var (
	errNotPolled  = wire.Errorf(wire.CodeSessionMoved, "nobody has polled the session for long; connect with its id and secret to resume it")
	errSuperseded = &wire.Error{Code: wire.CodeSuperseded}
)

// post puts a body in its place.
func (s *Session) post(now time.Time, p *body) {
	if s.flags&sEnded != 0 {
		p.done <- errMoved
		return
	}
	m := s.rare()
	if m.posts == nil {
		m.posts = &posts{next: 1, s: s}
		m.posts.timer.Owner = m.posts
	}
	q := m.posts
	switch {
	case p.seq > q.next:
		q.wait(now, p)
	case q.full(p):
		p.done <- errTooMuch
	default:
		q.accept(p)
		q.arrived()
		s.pump(now)
	}
}

// full reports whether there is no room for a body whose turn it is.
func (q *posts) full(p *body) bool {
	n := len(p.rest)
	for _, b := range q.body {
		n += len(b.rest)
	}
	return len(q.body) >= wire.MaxQueuedIn || len(q.body) > 0 && n > wire.MaxQueuedInBytes
}

// accept takes a body over whose turn it is.
func (q *posts) accept(p *body) {
	if p.seq > 0 {
		for skip := q.next - p.seq; skip > 0 && p.count > 0; skip-- {
			p.take() // was taken up before
		}
	}
	q.next += p.count
	p.done <- nil
	if p.count > 0 {
		q.body = append(q.body, p)
	}
}

// take returns the next frame of a body.
func (p *body) take() []byte {
	for len(p.rest) > 0 {
		line, rest, _ := bytes.Cut(p.rest, []byte{'\n'})
		p.rest = rest
		if line = bytes.TrimSpace(line); len(line) > 0 {
			p.count--
			return line
		}
	}
	return nil
}

// arrived accepts those whose turn has come.
func (q *posts) arrived() {
	for again := true; again; {
		again = false
		for i, p := range q.ahead {
			if p.seq <= q.next {
				q.ahead = append(q.ahead[:i], q.ahead[i+1:]...)
				q.bytes -= len(p.rest)
				q.accept(p)
				again = true
				break
			}
		}
	}
	if len(q.ahead) == 0 {
		q.timer.Stop()
	}
}

// wait keeps a body that is ahead of its turn.
func (q *posts) wait(now time.Time, p *body) {
	if len(q.ahead) >= wire.MaxQueuedIn || q.bytes+len(p.rest) > wire.MaxQueuedInBytes && len(q.ahead) > 0 {
		p.done <- errFarAhead
		return
	}
	p.until = now.Add(postPatience)
	q.ahead = append(q.ahead, p)
	q.bytes += len(p.rest)
	if !q.timer.Armed() {
		q.s.hub.loop.After(postPatience, &q.timer)
	}
}

// Fire gives up those that have waited too long.
func (q *posts) Fire(now time.Time) {
	kept := q.ahead[:0]
	var next time.Time
	for _, p := range q.ahead {
		if now.Before(p.until) {
			kept = append(kept, p)
			if next.IsZero() || p.until.Before(next) {
				next = p.until
			}
			continue
		}
		q.bytes -= len(p.rest)
		p.done <- errMissing
	}
	clear(q.ahead[len(kept):])
	q.ahead = kept
	if !next.IsZero() {
		q.s.hub.loop.After(next.Sub(now), &q.timer)
	}
}

// drop answers those who wait for a session that ends.
func (q *posts) drop() {
	q.timer.Stop()
	for _, p := range q.ahead {
		p.done <- errMoved
	}
	q.ahead, q.body = nil, nil
}

// pump takes up the frames of bodies, while there is room for them.
func (s *Session) pump(now time.Time) {
	if s.more == nil || s.more.posts == nil {
		return
	}
	q := s.more.posts
	for n := 0; len(q.body) > 0 && s.line != nil && !s.line.held && !s.line.deaf && s.flags&sEnded == 0; n++ {
		if n == postTurn {
			s.hub.loop.PostTask(effect(s.pump))
			return
		}
		p := q.body[0]
		f := p.take()
		if p.count == 0 {
			q.body = q.body[1:]
		}
		if f != nil {
			s.line.Receive(now, JSON, f)
		}
	}
}
