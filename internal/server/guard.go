package server

import (
	"net/http"
	"time"

	"github.com/longwire/longwire/internal/origin"
	"github.com/longwire/longwire/wire"
)

// guard stands before every request: it refuses hosts that are not ours while
// nobody outside can know us by a name (DNS rebinding turns a foreign page into
// one of the same origin, and only Host tells), refuses what foreign pages
// must not do, and lets the pages that may read what they get (CORS).
//
// It also bounds how long a body may take. That holds for one that no handler
// reads too: net/http reads it before it answers, and has no bound of its own.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // not every ResponseWriter can
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Add("Vary", "Origin")
		if s.loopback && r.Host != "" && !origin.IsLoopback(r.Host) {
			wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeBadHost})
			return
		}
		switch {
		case s.origins.Allows(r):
			if from := r.Header.Get("Origin"); from != "" {
				h.Set("Access-Control-Allow-Origin", from)
				h.Set("Access-Control-Expose-Headers", "Longwire-Position, Longwire-Gap, Retry-After")
			}
			if preflight(r) {
				answerPreflight(h)
				w.WriteHeader(http.StatusNoContent)
				return
			}
		case preflight(r) || !safe(r):
			wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeBadOrigin})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// safe reports whether a foreign page may send the request: it changes nothing,
// and without CORS the page does not see what comes. WebSockets know no CORS.
func safe(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Header.Get("Upgrade") == ""
	}
	return false
}

func answerPreflight(h http.Header) {
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE")
	h.Set("Access-Control-Allow-Headers",
		"Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, Longwire-Secret, Longwire-Seq")
	h.Set("Access-Control-Max-Age", "600") // ten minutes: a changed --allow-origin is noticed soon
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
}
