package longwire

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/longwire/longwire/internal/origin"
	"github.com/longwire/longwire/wire"
)

// A guard stands before every request over HTTP (docs/protocol.md, section 2.5). It
// refuses what foreign pages must not do: change something, or open a WebSocket,
// which no browser stops. It lets the pages that may read what they get (CORS).
//
// It does not look at Host: which names a server has it cannot know.
type guard struct {
	origins origin.List // whose pages may; see [origin.Parse]
	next    http.Handler
}

// newGuard guards what a node serves. The pages of the host itself may use it always.
func newGuard(allow []string, log *slog.Logger, next http.Handler) *guard {
	origins, errs := origin.ParseList(append([]string{"self"}, allow...))
	for _, err := range errs {
		log.Error("longwire: an entry of Options.AllowOrigin allows nothing", slog.Any("err", err))
	}
	return &guard{origins, next}
}

// ServeHTTP refuses the request or passes it on.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Origin")
	allowed, first := g.origins.Allows(r), preflight(r)
	switch from := r.Header.Get("Origin"); {
	case !allowed && (first || !harmless(r)):
		wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeBadOrigin})
		return
	case allowed && from != "":
		h.Set("Access-Control-Allow-Origin", from)
		h.Set("Access-Control-Expose-Headers", exposed)
	}
	if first {
		answerPreflight(h, r)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	g.next.ServeHTTP(w, r)
}

// preflight reports whether a browser asks what a page may do.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// harmless reports whether a foreign page may send the request: it changes
// nothing, and without CORS the page does not see what comes.
func harmless(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Header.Get("Upgrade") == ""
	}
	return false
}

// What pages of other origins may see of an answer, and may send, beside what
// they always may.
const (
	exposed  = "Longwire-Position, Longwire-Gap, Longwire-Answer, Retry-After"
	sendable = "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, " +
		"Longwire-Position, Longwire-Secret, Longwire-Seq"
	headerPrefix = "longwire-header-" // of a publication's own headers
)

func answerPreflight(h http.Header, r *http.Request) {
	var may strings.Builder
	may.WriteString(sendable)
	for _, line := range r.Header.Values("Access-Control-Request-Headers") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); strings.HasPrefix(name, headerPrefix) {
				may.WriteString(", " + name)
			}
		}
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", may.String())
	h.Set("Access-Control-Max-Age", "600") // ten minutes: a list that changed is noticed soon
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
}
