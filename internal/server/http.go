package server

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/ws"
	"github.com/longwire/longwire/wire"
)

//go:embed page
var pageFiles embed.FS

// routes is what there is over HTTP: the node's surface (docs/protocol.md,
// section 5), and what belongs to this program.
func (s *Server) routes() http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	page := getOnly(pageOf(http.FileServerFS(files)))
	mux := http.NewServeMux()
	mux.Handle("/", s.node.Handler(ws.Way, stream.Way))
	mux.Handle("/{$}", page)
	mux.Handle("/app.js", page)
	mux.Handle("/style.css", page)
	mux.Handle("/healthz", getOnly(http.HandlerFunc(healthy)))
	mux.Handle("/readyz", getOnly(http.HandlerFunc(s.ready)))
	return mux
}

// getOnly answers what net/http's own patterns would answer in plain text.
func getOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const allow = "GET, HEAD, OPTIONS"
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			next.ServeHTTP(w, r)
		case http.MethodOptions:
			w.Header().Set("Allow", allow)
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Allow", allow)
			wire.WriteProblem(w, 0, wire.Errorf(wire.CodeMethodNotAllowed, "this address takes %s", allow))
		}
	})
}

// pageOf serves the page on which to try it. It loads nothing from elsewhere, and
// is in no other page.
func pageOf(files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}

// healthy says that the process serves; ready, that it takes new clients.
func healthy(w http.ResponseWriter, _ *http.Request) { answer(w, "ok") }

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.ending.Load() {
		wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeDraining})
		return
	}
	answer(w, "ready")
}

func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text + "\n"))
}
