package client

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// A Via is a way in. All of them carry the same session.
type Via string

// The ways in.
const (
	TCP       Via = "tcp"    // JSON lines over TCP, with TLS or without
	WebSocket Via = "ws"     // one frame per message
	SSE       Via = "sse"    // Server-Sent Events, talking back by POST
	NDJSON    Via = "ndjson" // lines in an HTTP response, talking back by POST
	Poll      Via = "poll"   // long-polling, for networks that let nothing else through
)

// Where `longwire serve` listens if it is not told otherwise.
const (
	defaultHTTP = "http://127.0.0.1:8080"
	defaultTCP  = "tcp://127.0.0.1:8888"
)

// An AddressError says that an address or a way in makes no sense.
type AddressError struct{ text string }

func (e *AddressError) Error() string { return "client: " + e.text }

func badAddress(format string, args ...any) error { return &AddressError{fmt.Sprintf(format, args...)} }

// An address is where a server is, and the way to it.
type address struct {
	via Via
	tls bool
	url *url.URL // http or https; for TCP only its Host counts
}

// parseAddress reads an address as [Dial] takes it. An address of TCP's schemes
// needs no way told, and one of HTTP's is taken for the WebSocket then.
func parseAddress(addr string, via Via) (*address, error) {
	switch via {
	case "", TCP, WebSocket, SSE, NDJSON, Poll:
	default:
		return nil, badAddress("there is no way in called %q; take tcp, ws, sse, ndjson or poll", via)
	}
	switch {
	case addr == "" && via == TCP:
		addr = defaultTCP
	case addr == "":
		addr = defaultHTTP
	case !strings.Contains(addr, "://") && via == TCP:
		addr = "tcp://" + addr
	case !strings.Contains(addr, "://"):
		addr = "http://" + addr
	}
	u, err := url.Parse(addr)
	if err != nil || u.Host == "" {
		return nil, badAddress("%q is no address; write host:port or a URL such as %s or %s", addr, defaultHTTP, defaultTCP)
	}
	a := &address{via: via, url: u}
	return a, a.settle()
}

// settle makes scheme and way agree.
func (a *address) settle() error {
	scheme := a.url.Scheme
	a.tls = scheme == "tls" || scheme == "https" || scheme == "wss"
	switch scheme {
	case "tcp", "tls":
		if a.via != "" && a.via != TCP {
			return badAddress("%s:// is for the way tcp; %s needs http:// or https://", scheme, a.via)
		}
		if _, port, err := net.SplitHostPort(a.url.Host); err != nil || port == "" {
			return badAddress("%s://%s has no port; write %s", scheme, a.url.Host, defaultTCP)
		}
		a.via = TCP
		return nil
	case "http", "ws":
		a.url.Scheme = "http"
	case "https", "wss":
		a.url.Scheme = "https"
	default:
		return badAddress("scheme %q is not known; take http, https, tcp or tls", scheme)
	}
	switch a.via {
	case TCP:
		return badAddress("the way tcp needs an address such as %s, not %s://", defaultTCP, scheme)
	case "":
		a.via = WebSocket
	}
	return nil
}

// connectURL is the address of sessions over HTTP, or that of one of them.
func (a *address) connectURL(session string) string {
	if session == "" {
		return a.url.JoinPath("connect").String()
	}
	return a.url.JoinPath("connect", session).String()
}
