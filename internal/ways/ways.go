// Package ways is the ways into a session as tests use them: one small client for
// each, raw enough to send anything, behind one interface, over a network in
// memory or a real one. Only tests may import it.
package ways

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/longwire/longwire/wire"
)

// A Client is one link of a session. Its methods are for one goroutine, except
// Cut; Receive may run beside Send.
type Client interface {
	// Send sends one client frame, as it is. Where that is a request, its refusal
	// is the error, a *wire.Error.
	Send(frame string) error
	// Receive returns the next frame from the server; at the end a *End.
	Receive() (string, error)
	// Cut cuts the connection as a crash would. A client that is polled just stops.
	Cut()
}

// An End is why a link has ended, as far as its way can tell.
type End struct {
	Code   wire.Code // empty if nothing was told
	Reason string
	Err    error
}

func (e *End) Error() string {
	return fmt.Sprintf("ways: the link ended: %s %s %v", e.Code, e.Reason, e.Err)
}

// Credentials are what resumes a session. Position is only for ways that resume by token.
type Credentials struct{ Session, Secret, Position string }

// Options are how a link is opened.
type Options struct {
	Resume *Credentials
	// Subscribe is the `subscribe` of the connect frame, a JSON array; empty is none.
	// On ways that resume by token it must be empty.
	Subscribe string
	Token     string
	// Query is added to the address, on ways that have one: channel=a&since=all.
	Query string
	// Silent sends no connect: a link that just begins. Not for streams.
	Silent bool
}

// A Server is where clients connect to. Dial makes connections.
type Server struct {
	TCP, HTTP func(ctx context.Context) (net.Conn, error)
	Path      string // before /connect
}

// A Way is one way into a session.
type Way struct {
	Name string
	// ByToken is whether a link resumes by one token for all subscriptions, and
	// is told `connected` at once; others say connect.
	ByToken bool
	// Posts is whether frames are sent by POST.
	Posts bool
	// Open opens a link. Unless Silent was asked for, `connected` is the first that
	// is received.
	Open func(t testing.TB, s *Server, o *Options) (Client, error)
}

// All is every way.
func All() []Way {
	return []Way{
		{Name: "tcp", Open: openTCP},
		{Name: "ws", Open: openWS},
		{Name: "sse", ByToken: true, Posts: true, Open: openSSE},
		{Name: "ndjson", ByToken: true, Posts: true, Open: openNDJSON},
		{Name: "poll", Posts: true, Open: openPoll},
	}
}

// connectFrame is the frame that begins or resumes a session.
func (o *Options) connectFrame() string {
	var b strings.Builder
	b.WriteString(`{"op":"connect","id":1`)
	if r := o.Resume; r != nil {
		fmt.Fprintf(&b, `,"session":%q,"secret":%q`, r.Session, r.Secret)
	}
	if o.Token != "" {
		fmt.Fprintf(&b, `,"token":%q`, o.Token)
	}
	if o.Subscribe != "" {
		fmt.Fprintf(&b, `,"subscribe":%s`, o.Subscribe)
	}
	return b.String() + "}"
}

func (s *Server) url(path, query string) string {
	if query != "" {
		query = "?" + query
	}
	return "http://longwire.test" + s.Path + path + query
}

// HTTPClient returns an HTTP client of the server's own. Close its idle connections.
func (s *Server) HTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return s.HTTP(ctx) },
		DisableCompression: true,
	}}
}

// refusal reads what an HTTP response refuses with.
func refusal(resp *http.Response) error {
	code := wire.CodeInternal
	body := readAll(resp)
	if i := strings.Index(body, `"code":"`); i >= 0 {
		rest, _, _ := strings.Cut(body[i+len(`"code":"`):], `"`)
		code = wire.Code(rest)
	}
	return &wire.Error{Code: code, Message: resp.Status + " " + body}
}

// endOf makes an End of what a reader said.
func endOf(err error) error {
	if e, ok := errors.AsType[*End](err); ok {
		return e
	}
	return &End{Err: err}
}
