package longwire

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/longwire/longwire/wire"
)

// Handler serves the node over HTTP, by the ways given: ws.Way, stream.Way.
//
//	/channels/{channel}[,{channel}…]    read by GET, publish by POST
//	/channels/{channel}/history         read by GET, forget by DELETE
//	/channels/{channel}/presence
//	/connect                            begin a session
//	/connect/{session}                  poll it by GET, send frames by POST
//
// as docs/protocol.md, section 5 says. To have it below another path, wrap it
// in [http.StripPrefix]. Who may use it without a session is what [Options.Open]
// says; which pages may, what Options.AllowOrigin says.
func (n *Node) Handler(ways ...Way) http.Handler {
	s := &surface{node: n}
	for _, way := range ways {
		o := n.Door()
		s.sessions = append(s.sessions, mounted{way, way.Handler(o)})
		readers := *o
		readers.Acceptor, readers.Session = n.readers(), false
		s.readers = append(s.readers, mounted{way, way.Handler(&readers)})
	}
	return n.inTime(newGuard(n.opts.AllowOrigin, n.log, s))
}

// A surface is what there is over HTTP.
type surface struct {
	node     *Node
	readers  []mounted
	sessions []mounted
}

// A mounted way is one with its handler.
type mounted struct {
	way     Way
	handler http.Handler
}

const (
	channelsPath = "/channels/"
	connectPath  = "/connect"

	// bodyTime is how long the body of a request may take to arrive, or the next
	// part of one that is taken up as it comes.
	bodyTime = 30 * time.Second
)

// ServeHTTP answers one request, or leaves it to a way.
func (s *surface) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.route(r.URL.Path).serve(w, r)
}

// route finds what a path is, nil if it is nothing.
func (s *surface) route(path string) methods {
	if path == connectPath {
		return methods{http.MethodGet: s.connect, http.MethodPost: s.connect}
	}
	if id, ok := strings.CutPrefix(path, connectPath+"/"); ok {
		if _, ok := parseToken(id); ok {
			return methods{http.MethodGet: s.poll(id), http.MethodPost: s.post(id)}
		}
		return nil
	}
	rest, ok := strings.CutPrefix(path, channelsPath)
	if !ok {
		return nil
	}
	channel, what, below := strings.Cut(rest, "/")
	switch {
	case channel == "":
	case !below:
		return methods{http.MethodGet: s.read, http.MethodPost: s.publish(channel)}
	case what == "history":
		return methods{http.MethodGet: s.history(channel), http.MethodDelete: s.forget(channel)}
	case what == "presence":
		return methods{http.MethodGet: s.presence(channel)}
	}
	return nil
}

// methods is what one path answers. Beside what is in it there is OPTIONS, and
// HEAD where there is GET.
type methods map[string]http.HandlerFunc

func (m methods) serve(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	f := m[method]
	switch {
	case m == nil:
		wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeNotFound})
	case f != nil:
		f(w, r)
	case method == http.MethodOptions:
		w.Header().Set("Allow", m.allow())
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", m.allow())
		wire.WriteProblem(w, 0, wire.Errorf(wire.CodeMethodNotAllowed, "this address takes %s", m.allow()))
	}
}

func (m methods) allow() string {
	list := make([]string, 0, 5)
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if m[method] == nil {
			continue
		}
		if list = append(list, method); method == http.MethodGet {
			list = append(list, http.MethodHead)
		}
	}
	return strings.Join(append(list, http.MethodOptions), ", ")
}

// by leaves a request to the first way that takes it.
func by(ways []mounted, w http.ResponseWriter, r *http.Request) {
	for _, m := range ways {
		if m.way.Takes(r) {
			m.handler.ServeHTTP(w, r)
			return
		}
	}
	if r.Header.Get("Upgrade") != "" {
		wire.WriteProblem(w, 0, wire.Errorf(wire.CodeBadUpgrade, "connections cannot be upgraded to that here"))
		return
	}
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade") // RFC 9110, section 15.5.22
	wire.WriteProblem(w, http.StatusUpgradeRequired, wire.Errorf(wire.CodeBadUpgrade, "this address takes WebSockets only"))
}

// problem answers with an error.
func (s *surface) problem(w http.ResponseWriter, err error) {
	wire.WriteProblem(w, 0, s.errorOf(err))
}

// errorOf returns what a client is told of an error. What is our own affair is
// logged instead.
func (s *surface) errorOf(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	if c, ok := errors.AsType[*Close](err); ok {
		return &wire.Error{Code: c.code(), Message: c.Reason, Retry: c.Retry}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &wire.Error{Code: wire.CodeOutcomeUnknown} // the client is gone, or a middleware has no patience
	}
	s.node.log.Error("longwire: a request failed", slog.Any("err", err))
	return &wire.Error{Code: wire.CodeInternal}
}

// mayRead says whether a request that belongs to no session may read.
func (n *Node) mayRead(*http.Request, []string) error {
	if n.opts.Open {
		return nil
	}
	return wire.Errorf(wire.CodeForbidden, "reading takes a session here; connect, then subscribe")
}

// mayPublish says whether a request that belongs to no session may publish to
// a channel, or forget its history.
func (n *Node) mayPublish(*http.Request, string) error {
	if n.opts.Open {
		return nil
	}
	return wire.Errorf(wire.CodeForbidden, "publishing takes a session here; connect, then publish")
}
