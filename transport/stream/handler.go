package stream

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A Handler answers requests with streams and makes links of them. GET opens
// a stream, or with ?wait=DURATION and [Poll] among the Encoders one answer of
// long-polling; HEAD gets the header alone. With Upstream, POST talks back.
// It can be mounted at any path.
//
// Its fields must not be changed once it serves.
type Handler struct {
	// Acceptor takes the links. It is required.
	Acceptor longwire.Acceptor
	// Encoders are what clients may choose from: by the media type in Accept,
	// Poll by ?wait=; who asks for none of them gets the first. Nil means NDJSON, SSE
	// and Poll.
	Encoders []*Encoder
	// Upstream lets clients talk back, and, if Poll is among the Encoders, open
	// links by POST and poll them: docs/protocol.md, sections 6.1 and 6.2.
	Upstream bool
	// Lifetime bounds a stream, because a proxy can go on acknowledging after the
	// client is gone: each lives for 80 to 100 % of it, at random, and ends with
	// the code lifetime. Zero means an hour, negative is unbounded.
	Lifetime time.Duration
	// PingAfter is the silence after which a stream carries a heartbeat. Zero
	// means 15 s, negative is off.
	PingAfter time.Duration
	// PollWithin is how long a link that is polled may go without a poll. Zero
	// means 60 s.
	PollWithin time.Duration
	// Retry is what EventSource is told to wait before it connects again; each
	// link gets half to one and a half of it, at random. Zero means 2 s.
	Retry time.Duration
	// MaxMessage is the most bytes that the body of a POST may have. Zero means 1 MiB.
	MaxMessage int
	// Engine is where the links live. Nil means the shared one.
	Engine *longwire.Engine
	// Log hears of requests that cannot be served. Nil means slog.Default().
	Log *slog.Logger

	session bool // POST opens a link that is polled, and sends it frames; see connect.go

	once sync.Once
	// Immutable after once.
	encodings []*encoding
	polling   *encoding // nil if not offered
	key       [32]byte  // the secrets' secret

	forget func() // takes back that the engine's end is to be told

	links   registry
	live    atomic.Int64 // links whose receivers have not heard Closed
	closing atomic.Bool
	emptied chan struct{} // capacity 1; told when live falls to zero while closing
}

// What PollWithin and Retry are by default. A minute bridges a phone's change of
// networks; two seconds are what the other ways in begin their backoff with.
const (
	pollWithin   = 60 * time.Second
	defaultRetry = 2 * time.Second
	lifetime     = time.Hour
)

func (h *Handler) prepare() {
	list := h.Encoders
	if list == nil {
		list = []*Encoder{NDJSON, SSE, Poll}
	}
	for _, e := range list {
		n := encodingOf(e)
		h.encodings = append(h.encodings, n)
		if e.poll && h.polling == nil {
			h.polling = n
		}
	}
	rand.Read(h.key[:])
	h.emptied = make(chan struct{}, 1)
	h.forget = h.Engine.Or().Loops().OnClose(h.leaveEngine)
}

func (h *Handler) maxMessage() int {
	if h.MaxMessage <= 0 {
		return wire.MaxMessage
	}
	return h.MaxMessage
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}

var errNoAcceptor = errors.New("stream: Handler.Acceptor and Handler.Encoders must be set; take a *longwire.Plain, and nil")

// ServeHTTP answers one request. If its connection can be parked it returns at
// once, and the link lives on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.prepare)
	if h.Acceptor == nil || len(h.encodings) == 0 {
		h.log().Error(errNoAcceptor.Error())
		wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeInternal})
		return
	}
	q := r.URL.Query()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.get(w, r, q)
	case http.MethodPost:
		switch {
		case h.session:
			h.connect(w, r)
			return
		case h.Upstream:
			h.post(w, r, q)
			return
		}
		fallthrough
	default:
		allow := "GET, HEAD"
		if h.Upstream || h.session {
			allow = "GET, HEAD, POST"
		}
		w.Header().Set("Allow", allow)
		wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeMethodNotAllowed})
	}
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, q url.Values) {
	e := h.choose(r, q)
	switch {
	case r.Method == http.MethodHead:
		h.setHeader(w.Header(), e)
	case e.poll && h.Upstream && q.Has("link"):
		h.pollAgain(w, r, q)
	case h.closing.Load():
		h.refuse(w, e, &longwire.Close{Code: wire.CodeDraining})
	case e.poll:
		h.pollOnce(w, r, q)
	default:
		h.stream(w, r, e)
	}
}

// setHeader sets what every response of e has. What a middleware has decided
// about caching and buffering is kept.
func (h *Handler) setHeader(header http.Header, e *encoding) {
	header.Set("Content-Type", e.ContentType)
	if _, ok := header["Cache-Control"]; !ok {
		header.Set("Cache-Control", "no-cache, no-transform")
	}
	if _, ok := header["X-Accel-Buffering"]; !ok {
		header.Set("X-Accel-Buffering", "no") // nginx would hold messages back
	}
	if len(h.encodings) > 1 {
		header.Add("Vary", "Accept")
	}
}

// Shutdown closes all links with the code draining, refuses new ones, and
// waits until they are closed or ctx ends; then it returns the context's error.
// It is to be called before the http.Server is shut down, which does not know
// of connections that were taken from it, and before the engine is closed.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.once.Do(h.prepare)
	h.closing.Store(true)
	h.forget()
	for l := range h.links.all() {
		l.loop.PostTask((*drainTask)(l))
	}
	for h.live.Load() > 0 {
		select {
		case <-h.emptied:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// leaveEngine closes all links because their engine is closed. Those that are
// polled have no socket that would tell them.
func (h *Handler) leaveEngine() {
	h.closing.Store(true)
	for l := range h.links.all() {
		l.loop.PostTask((*endTask)(l))
	}
}

// A leaver is a [longwire.Receiver] that has last words.
type leaver interface{ Leave(now time.Time) }

// endTask closes a link because its engine is closed.
type endTask link

func (t *endTask) Run(now time.Time) {
	l := (*link)(t)
	if r, ok := l.recv.(leaver); ok && l.state&closing == 0 {
		r.Leave(now)
	}
	l.Close(longwire.Close{Code: wire.CodeGoingAway})
}

// drainTask closes a link because its handler is being shut down.
type drainTask link

func (t *drainTask) Run(time.Time) { (*link)(t).Close(longwire.Close{Code: wire.CodeDraining}) }
