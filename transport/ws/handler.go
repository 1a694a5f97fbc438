package ws

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/beat"
	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/internal/loop"
	"github.com/longwire/longwire/internal/origin"
	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/wire"
)

// A Handler answers WebSocket handshakes and makes links of the connections.
// Its fields must not be changed once it serves.
//
// It serves HTTP/1.1 over any listener. Only connections that were accepted by
// [longwire.Listen] or [longwire.WrapListener], or are plain *net.TCPConn, cost
// no goroutines; TLS must lie above the former for that.
type Handler struct {
	// Acceptor takes the links. It is required.
	Acceptor longwire.Acceptor
	// Origins lists the pages that may connect, as a browser tells them in the
	// Origin header: origins such as "https://example.com" or
	// "http://localhost:3000"; patterns, in which "*." before a host stands for any
	// subdomain and ":*" behind it for any port ("https://*.example.com",
	// "http://localhost:*"); "self" for the origin that the request itself is
	// addressed to; "loopback" for pages of this machine; "null" for pages without
	// an origin, such as local files; "*" for any. If empty, "self" only. A request
	// without Origin does not come from a page and passes.
	//
	// This does not stop DNS rebinding, where a foreign page is the server's own by
	// its name: listening on loopback, check Host too, or list Origins.
	Origins []string
	// Subprotocols lists what the server speaks, the preferred first. A client
	// that offers some, but none of these, is refused; one that offers none is
	// served without, unless RequireSubprotocol is set.
	Subprotocols       []string
	RequireSubprotocol bool
	// MaxMessage is the most bytes that a message from a peer may have. Zero
	// means 1 MiB. What is larger ends the link with too_large before it is
	// buffered.
	MaxMessage int
	// MaxFrame is the most bytes of payload that a frame to a peer has; longer
	// messages leave in fragments (RFC 6455, section 5.4), for peers or proxies
	// that bound frames. Zero means no bound.
	MaxFrame int
	// PingAfter is the silence of a peer after which it is pinged, and DeadAfter
	// the one after which its link ends with idle_timeout, unless we hold the
	// peer back. Both may be up to a quarter of a second late. Zero means 25 s
	// and 35 s, negative is off.
	PingAfter, DeadAfter time.Duration
	// Engine is where the links live. Nil means the shared one.
	Engine *longwire.Engine
	// Log hears of refused handshakes, at debug level, and of Origins that
	// cannot be understood. Nil means slog.Default().
	Log *slog.Logger

	once sync.Once
	// Immutable after once.
	reader  frame.Config
	form    *longwire.Form
	beats   beat.Rule
	origins origin.List
}

// prepare turns the fields into what serving needs.
func (h *Handler) prepare() {
	h.reader = frame.Config{Server: true, MaxMessage: h.MaxMessage}
	if h.MaxMessage <= 0 {
		h.reader.MaxMessage = wire.MaxMessage
	}
	h.form = form
	if h.MaxFrame > 0 {
		h.form = &longwire.Form{Name: "ws in fragments", Append: func(dst []byte, kind longwire.Kind, p []byte) []byte {
			return frame.AppendFragments(dst, opcode(kind), p, h.MaxFrame)
		}}
	}
	h.beats = beat.New(h.PingAfter, h.DeadAfter)
	h.origins = h.parseOrigins()
}

// parseOrigins reads Origins. An entry that cannot be understood allows nothing.
func (h *Handler) parseOrigins() origin.List {
	list := h.Origins
	if len(list) == 0 {
		list = []string{"self"}
	}
	l, errs := origin.ParseList(list)
	for _, err := range errs {
		h.log().Error("ws: an entry of Handler.Origins allows nothing", slog.Any("err", err))
	}
	return l
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}

var (
	errNoAcceptor = errors.New("ws: Handler.Acceptor is nil; set it to a *longwire.Plain")
	errHeld       = &refusal{err: wire.Errorf(wire.CodeInternal,
		"the server cannot take over this connection; a middleware's ResponseWriter must have an Unwrap method")}
	errBody = bad("a handshake has no body; this one's is long, or did not arrive")
)

// ServeHTTP answers a handshake. It returns at once; the link lives on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.prepare)
	s, refused := h.shake(r)
	if refused != nil {
		h.refuse(w, r, refused)
		return
	}
	if h.Acceptor == nil {
		h.log().Error(errNoAcceptor.Error())
		h.refuse(w, r, &refusal{err: &wire.Error{Code: wire.CodeInternal}})
		return
	}
	taken, err := park.Take(w, r)
	if err != nil {
		f := errHeld
		if r.Body != http.NoBody && !errors.Is(err, park.ErrNotParkable) {
			f = errBody
		}
		h.refuse(w, r, f.because(err))
		return
	}
	if err := h.open(taken, r, s); err != nil {
		taken.Close()
		h.log().Debug("ws: the connection was lost in the handshake", slog.Any("err", err))
	}
}

// open answers the handshake on a connection that was taken from net/http,
// and brings it to a loop.
func (h *Handler) open(t *park.Taken, r *http.Request, s shake) error {
	l := newLink(h, r, s)
	head, err := s.head(t, l.subprotocol())
	if err != nil {
		return err
	}
	return t.Adopt(h.Engine.Or().Loops(), head, l.open)
}

// open begins the link on its loop. The head of the response is queued already.
func (l *link) open(now time.Time, sock *loop.Sock) loop.Handler {
	l.sock = sock
	l.hear(now)
	l.listen(now)
	recv, err := l.h.Acceptor.Accept(now, l)
	if err != nil {
		l.recv = nobody{}
		l.Close(*longwire.CloseOf(err, wire.CodeForbidden))
		return l
	}
	l.recv = recv
	return l
}

// nobody is the receiver of a link that was refused.
type nobody struct{}

func (nobody) Receive(time.Time, longwire.Kind, []byte) {}
func (nobody) Drained(time.Time)                        {}
func (nobody) Closed(time.Time, error)                  {}
