// Package ways is the ways into a session as tests use them: one small client for
// each, raw enough to send anything, behind one interface, over a network in
// memory or a real one. Only tests may import it.
package ways

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

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
	// Vanish has the connection's packets go nowhere from now on, as in a tunnel;
	// the network must be one in memory.
	Vanish()
}

// An End is why a link has ended, as far as its way can tell.
type End struct {
	Code   wire.Code // empty if nothing was told
	Reason string
	Retry  time.Duration // zero also where it cannot be told
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
	// Token is the token of the connect frame, and what a stream says in Authorization.
	Token string
	// Bearer is the same in Authorization on all ways that have headers.
	Bearer string
	// Query is added to the address, on ways that have one: channel=a&since=all.
	Query string
	// Silent sends no connect: a link that just begins. Not for streams.
	Silent bool
	// First is sent instead of the connect frame, as it is. Not for streams.
	First string
	// Mute answers no pings.
	Mute bool
}

// A Server is where clients connect to.
type Server struct {
	TCP, HTTP func(ctx context.Context) (net.Conn, error) // make connections
	Path      string                                      // before /connect
	TLS       *tls.Config                                 // nil without; then HTTP is HTTP/2 where it can be
}

// A Way is one way into a session.
type Way struct {
	Name string
	// ByToken is whether a link resumes by one token for all subscriptions, and
	// is told `connected` at once; others say connect.
	ByToken bool
	// Posts is whether frames are sent by POST.
	Posts bool
	// Secure is whether it is for a server with TLS.
	Secure bool
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

// Secure is the ways with TLS. Those that are requests are of HTTP/2.
func Secure() []Way {
	all := All()
	for i := range all {
		all[i].Name += "+tls"
		all[i].Secure = true
	}
	return all
}

// connectFrame is the frame that begins or resumes a session.
func (o *Options) connectFrame() string {
	if o.First != "" {
		return o.First
	}
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

// URL returns the address of a path, with a query unless that is empty.
func (s *Server) URL(path, query string) string {
	if query != "" {
		query = "?" + query
	}
	scheme := "http"
	if s.TLS != nil {
		scheme = "https"
	}
	return scheme + "://localhost" + s.Path + path + query
}

// HTTPClient returns an HTTP client of the server's own. Close its idle connections.
func (s *Server) HTTPClient() *http.Client { return s.httpClient(nil) }

// httpClient also tells of each connection.
func (s *Server) httpClient(made func(net.Conn)) *http.Client {
	conf := s.TLS
	if conf != nil {
		conf = conf.Clone() // the transport changes it
	}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := s.HTTP(ctx)
			if err == nil && made != nil {
				made(c)
			}
			return c, err
		},
		DisableCompression: true,
		TLSClientConfig:    conf,
		ForceAttemptHTTP2:  s.TLS != nil,
	}}
}

// secured is a connection with the server's TLS, for what is no HTTP/2.
func (s *Server) secured(c net.Conn) net.Conn {
	if s.TLS == nil {
		return c
	}
	conf := s.TLS.Clone()
	conf.NextProtos = []string{"http/1.1"}
	return tls.Client(c, conf)
}

// vanish has a connection's packets go nowhere.
func vanish(c net.Conn) {
	if f, ok := c.(interface{ Freeze() }); ok {
		f.Freeze()
	}
}

// refusal reads what an HTTP response refuses with.
func refusal(resp *http.Response) error {
	code := wire.CodeInternal
	body := readAll(resp)
	if _, after, ok := strings.Cut(body, `"code":"`); ok {
		text, _, _ := strings.Cut(after, `"`)
		code = wire.Code(text)
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
