package longwire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire/internal/content"
	"github.com/longwire/longwire/wire"
)

// A batch is a POST of application/x-ndjson: a publication on each line, and an
// answer on each line of the response, in the same order (docs/protocol.md,
// section 5.2). A line that is refused, or fails, is answered with its error and
// keeps none of the others from being published; an empty one is passed over. A
// line that is too long ends the batch, as a body that does not arrive does, and the
// end of the node.
//
// One goroutine reads lines and publishes them, up to maxUnderWay or
// maxUnderWayBytes ahead of what was answered; the request's own answers as the
// broker acknowledges. So a batch may come as slowly as what feeds it, and is never
// in memory as a whole. A client that does not read answers is, after a while, not
// read either.
type batch struct {
	s       *surface
	rc      *http.ResponseController
	order   chan *underWay // those under way, as their lines came; closed after the last
	free    chan *underWay // those that were answered
	stopped atomic.Bool    // nobody hears the answers

	// Owned by the goroutine that reads.
	channel string
	lines   *bufio.Scanner
	parser  *content.Batch
	line    int
	idle    []*underWay // to be used again
	count   int         // under way
	bytes   int         // of those

	// Owned by the goroutine that answers.
	w       http.ResponseWriter
	answers []byte
	hold    bool // until the body has ended
}

// underWay is a line under way: its publication, or why there is none.
type underWay struct {
	line, bytes int
	subscribers int
	done        chan struct{} // capacity 1; told when p and err are valid
	p           *Publication
	err         error
}

const (
	maxUnderWay      = 256
	maxUnderWayBytes = 4 << 20

	// maxBatch bounds a batch: who has more begins another.
	maxBatch = 64 << 20

	// smallBatch comes as one piece, as far as anybody notices: it is answered as
	// one, and its connection can be used again.
	smallBatch = 64 << 10

	// answersAtOnce are written together, if there are so many.
	answersAtOnce = 16 << 10
)

func (s *surface) publishLines(w http.ResponseWriter, r *http.Request, channel string) {
	if err := perLine(r.Header); err != nil {
		s.problem(w, err)
		return
	}
	b := &batch{
		s: s, w: w, rc: http.NewResponseController(w), channel: channel, parser: content.NewBatch(channel),
		order: make(chan *underWay, maxUnderWay), free: make(chan *underWay, maxUnderWay),
	}
	if in, ok := r.Body.(*intake); ok {
		in.noGrace()
	}
	body := &arriving{Reader: r.Body, rc: b.rc, left: maxBatch, stopped: &b.stopped}
	switch {
	case r.ContentLength >= 0 && r.ContentLength <= smallBatch:
		b.hold = true
	case b.rc.EnableFullDuplex() != nil:
		// A middleware hides the connection: net/http would read the body to its end
		// before the first answer. So answers wait, and must fit into memory.
		b.hold, body.left = true, s.node.opts.MaxMessage
	case r.ProtoMajor == 1:
		// In full duplex net/http does not see to it that what is left of a body
		// is not taken for a request.
		w.Header().Set("Connection", "close")
	}
	b.lines = bufio.NewScanner(body)
	b.lines.Buffer(nil, wire.MaxFrame(s.node.opts.MaxMessage))
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	go b.read(r.Context()) // answer returns after it
	b.answer()
}

// perLine refuses what would have to hold for every line.
func perLine(h http.Header) error {
	if key, err := content.Key(h); err != nil || key != "" {
		return wire.Errorf(wire.CodeBadRequest, "a batch has no Idempotency-Key; give each line a key of its own")
	}
	if headers, err := content.Headers(h); err != nil || headers != nil {
		return wire.Errorf(wire.CodeBadRequest, "a batch has no Longwire-Header-…; give each line headers of its own")
	}
	return nil
}

// read publishes the lines of the body.
func (b *batch) read(ctx context.Context) {
	defer close(b.order)
	for b.lines.Scan() && b.lines.Err() == nil { // else the last line is not whole; see arriving
		b.line++
		switch line := b.lines.Bytes(); {
		case len(bytes.TrimSpace(line)) == 0:
		case b.s.node.ending.Load():
			b.begin(0).end(nil, b.s.node.goAway(0))
			return
		default:
			b.publish(ctx, line)
		}
	}
	if err := b.lines.Err(); err != nil {
		b.line++
		b.begin(0).end(nil, endOf(err))
	}
}

// publish publishes a line, when there is room for it, here and in the hubs.
func (b *batch) publish(ctx context.Context, line []byte) {
	u := b.begin(len(line))
	p, err := b.s.publicationOf(b.parser, b.channel, line)
	if err != nil {
		u.end(nil, err)
		return
	}
	u.subscribers = b.s.node.Subscribers(b.channel)
	if err := b.s.node.calm(ctx); err != nil {
		u.end(nil, err)
		return
	}
	b.s.node.publish(p, u.end)
}

// begin takes a place in the order, once there is one.
func (b *batch) begin(bytes int) *underWay {
	for b.count == maxUnderWay || b.count > 0 && b.bytes+bytes > maxUnderWayBytes {
		b.settle(<-b.free)
	}
	select {
	case u := <-b.free:
		b.settle(u)
	default:
	}
	u := &underWay{done: make(chan struct{}, 1)}
	if last := len(b.idle) - 1; last >= 0 {
		u, b.idle = b.idle[last], b.idle[:last]
	}
	u.line, u.bytes = b.line, bytes
	b.count++
	b.bytes += bytes
	b.order <- u
	return u
}

func (b *batch) settle(u *underWay) {
	b.count--
	b.bytes -= u.bytes
	b.idle = append(b.idle, u)
}

// end says what became of a line. Any goroutine, once.
func (u *underWay) end(p *Publication, err error) {
	u.p, u.err = p, err
	u.done <- struct{}{}
}

// answer answers the lines in their order until the body has ended. Nothing that is
// ready waits for what is not.
func (b *batch) answer() {
	defer b.flush(true)
	for {
		var u *underWay
		select {
		case u = <-b.order:
		default:
			b.flush(false)
			u = <-b.order
		}
		if u == nil {
			return
		}
		select {
		case <-u.done:
		default:
			b.flush(false)
			<-u.done
		}
		b.append(u)
		b.free <- u
		if len(b.answers) >= answersAtOnce {
			b.flush(false)
		}
	}
}

func (b *batch) append(u *underWay) {
	if b.stopped.Load() {
		return
	}
	if u.err == nil {
		b.answers = appendPublished(b.answers, u.p, u.subscribers)
	} else {
		b.answers = appendFailed(b.answers, u.line, b.s.errorOf(u.err))
	}
	b.answers = append(b.answers, '\n')
}

// flush writes the answers that there are. A client that does not take them ends
// the batch: what it sent and was not answered may or may not have been published.
func (b *batch) flush(last bool) {
	if len(b.answers) == 0 || b.hold && !last {
		return
	}
	_ = b.rc.SetWriteDeadline(time.Now().Add(bodyTime)) // not every ResponseWriter can
	_, err := b.w.Write(b.answers)
	if err == nil && !last {
		err = b.rc.Flush()
	}
	b.answers = b.answers[:0]
	if err != nil {
		b.stopped.Store(true)
		_ = b.rc.SetReadDeadline(time.Unix(1, 0))
	}
}

// appendFailed appends the answer to a line that was not published: what an error
// frame says.
func appendFailed(dst []byte, line int, e *wire.Error) []byte {
	start := len(dst)
	dst = wire.AppendNumber(dst, "line", int64(line))
	dst = wire.AppendMember(dst, "code", string(e.Code))
	dst = wire.AppendMember(dst, "message", e.Text())
	retry := e.Retry
	if !e.Retryable() {
		retry = -1
	}
	dst = wire.AppendNumber(dst, "retry", wire.Millis(retry))
	dst[start] = '{'
	return append(dst, '}')
}

// arriving is a body that is taken up as it comes: its next part must come within
// bodyTime. An error comes alone, after all that came before it: so a line that
// a scanner gives with one is not whole.
type arriving struct {
	io.Reader
	rc      *http.ResponseController
	left    int
	stopped *atomic.Bool
	err     error
}

var (
	errLong    = errors.New("longwire: the batch is too long")
	errStopped = errors.New("longwire: the batch was stopped")
)

func (a *arriving) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	_ = a.rc.SetReadDeadline(time.Now().Add(bodyTime)) // not every ResponseWriter can
	if a.stopped.Load() {                              // after that: flush stops first and then sets its own
		return 0, errStopped
	}
	if len(p) > a.left {
		p = p[:a.left+1] // one more, to see whether it has ended
	}
	n, err := a.Reader.Read(p)
	if a.left -= n; a.left < 0 {
		n, err = n-1, errLong
	}
	if n > 0 {
		a.err, err = err, nil
	}
	return n, err
}

// endOf says why a batch ends before its body does.
func endOf(err error) error {
	if e, ok := errors.AsType[*wire.Error](err); ok { // see intake
		return e
	}
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return wire.Errorf(wire.CodeTooLarge, "this line is too long; it and what follows is not published")
	case errors.Is(err, errLong):
		return wire.Errorf(wire.CodeTooLarge, "the batch is too long; this line and what follows is not published, send it as another batch")
	}
	return wire.Errorf(wire.CodeBadRequest, "nothing more came within %v; what follows is not published", bodyTime)
}

// publicationOf makes a publication of a line.
func (s *surface) publicationOf(parser *content.Batch, channel string, line []byte) (*Publication, error) {
	f, err := parser.Parse(line)
	if err != nil {
		return nil, err
	}
	kind, data, contentType, err := s.node.valueOf(f)
	if err != nil {
		return nil, err
	}
	headers, err := f.HeaderMap()
	if err != nil {
		return nil, err
	}
	return &Publication{
		Channel: channel, Kind: kind, ContentType: string(contentType), Data: data, Key: string(f.Key), Headers: headers,
	}, nil
}
