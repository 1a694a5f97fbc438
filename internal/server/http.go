package server

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/longwire/longwire/transport/stream"
	"github.com/longwire/longwire/transport/ws"
	"github.com/longwire/longwire/wire"
)

const channelsPath = "/channels/"

//go:embed page
var pageFiles embed.FS

// routes is what there is over HTTP (docs/protocol.md, section 5).
type routes struct {
	srv     *Server
	page    http.Handler
	read    http.Handler // messages, as SSE, NDJSON or one answer
	readWS  http.Handler // messages, as WebSocket
	connect http.Handler // frames both ways, as WebSocket
}

func (s *Server) newRoutes() *routes {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	anywhere := []string{"*"} // guard has looked at Origin
	json := []string{"longwire.v1.json"}
	readers := s.readers()
	return &routes{
		srv:     s,
		page:    http.FileServerFS(files),
		read:    &stream.Handler{Acceptor: readers, Encoders: []*stream.Encoder{ndjson, sse, poll}, Engine: s.engine, Log: s.log},
		readWS:  &ws.Handler{Acceptor: readers, Origins: anywhere, Subprotocols: json, Engine: s.engine, Log: s.log},
		connect: &ws.Handler{Acceptor: s.frames(), Origins: anywhere, Subprotocols: json, Engine: s.engine, Log: s.log},
	}
}

func (rt *routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, channelsPath)
	switch {
	case ok && rest != "" && !strings.Contains(rest, "/"):
		methods{get: rt.readChannel, post: func(w http.ResponseWriter, r *http.Request) { rt.srv.publish(w, r, rest) }}.serve(w, r)
	case r.URL.Path == "/", r.URL.Path == "/app.js", r.URL.Path == "/style.css":
		methods{get: rt.servePage}.serve(w, r)
	case r.URL.Path == "/connect":
		methods{get: rt.connect.ServeHTTP}.serve(w, r)
	case r.URL.Path == "/healthz":
		methods{get: rt.healthy}.serve(w, r)
	case r.URL.Path == "/readyz":
		methods{get: rt.ready}.serve(w, r)
	default:
		wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeNotFound})
	}
}

func (rt *routes) readChannel(w http.ResponseWriter, r *http.Request) {
	if _, err := splitChannels(strings.TrimPrefix(r.URL.Path, channelsPath)); err != nil {
		wire.WriteProblem(w, 0, errorOf(err))
		return
	}
	if r.Header.Get("Upgrade") != "" {
		rt.readWS.ServeHTTP(w, r)
		return
	}
	rt.read.ServeHTTP(w, r)
}

// servePage serves the page on which to try it. It loads nothing from
// elsewhere, and is in no other page.
func (rt *routes) servePage(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
		"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	rt.page.ServeHTTP(w, r)
}

// healthy says that the process serves; ready, that it takes new clients.
func (rt *routes) healthy(w http.ResponseWriter, _ *http.Request) { answer(w, "ok") }

func (rt *routes) ready(w http.ResponseWriter, _ *http.Request) {
	if rt.srv.ending.Load() {
		wire.WriteProblem(w, 0, goingAway)
		return
	}
	answer(w, "ready")
}

var goingAway = &wire.Error{Code: wire.CodeGoingAway}

func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text + "\n"))
}

// methods is what one path answers.
type methods struct{ get, post http.HandlerFunc }

func (m methods) serve(w http.ResponseWriter, r *http.Request) {
	allow := "GET, HEAD, OPTIONS"
	if m.post != nil {
		allow = "GET, HEAD, POST, OPTIONS"
	}
	switch {
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		m.get(w, r)
	case r.Method == http.MethodPost && m.post != nil:
		m.post(w, r)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", allow)
		wire.WriteProblem(w, 0, wire.Errorf(wire.CodeMethodNotAllowed, "this address takes %s", allow))
	}
}
