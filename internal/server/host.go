package server

import (
	"net/http"
	"time"

	"github.com/longwire/longwire/internal/origin"
	"github.com/longwire/longwire/wire"
)

// unreadTime is how long a body may take to arrive that nobody reads.
const unreadTime = time.Second

// atHome stands before every request. It refuses hosts that are not ours while
// nobody outside can know us by a name: DNS rebinding turns a foreign page into one
// of the same origin, and only Host tells. What pages may do beside that, the
// node's own guard says.
//
// It also bounds how long a body may take that no handler reads: net/http reads it
// before it answers, and has no bound of its own. The node sets its own time for
// what it takes.
func (s *Server) atHome(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(unreadTime)) // not every ResponseWriter can
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if s.loopback && r.Host != "" && !origin.IsLoopback(r.Host) {
			wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeBadHost})
			return
		}
		next.ServeHTTP(w, r)
	})
}
