package ws

import (
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Whether a page may connect. A browser lets any page open a WebSocket to any
// server, with the user's cookies, and leaves it to the server to look at the
// Origin header (RFC 6455, section 10.2). So only the server's own pages may,
// and those that are listed.
//
// The server's own are those whose origin has the host and port that the
// request is addressed to, with https if the request came over TLS. Without
// TLS either scheme will do, because a proxy may have taken the TLS off. A
// default port is the same written out or left out.
//
// This does not stop DNS rebinding, where a foreign page is the server's own
// by its name: listening on loopback, check Host too, or list Origins.

// An origin is one entry of Handler.Origins.
type origin struct {
	scheme string // empty: any
	host   string // in lower case; what follows the "*" of a pattern, with its dot
	port   string // written out; "*" is any
	sub    bool   // any subdomain of host
	any    bool
	self   bool
	null   bool
}

var ownOrigin = []origin{{self: true}}

// parseOrigins reads a list. An entry that cannot be understood allows nothing.
func parseOrigins(list []string, log *slog.Logger) []origin {
	if len(list) == 0 {
		return ownOrigin
	}
	var origins []origin
	for _, entry := range list {
		o, ok := parseEntry(entry)
		if !ok {
			log.Error(`ws: an entry of Handler.Origins is no origin and allows nothing; write it like "https://example.com"`,
				slog.String("entry", entry))
			continue
		}
		origins = append(origins, o)
	}
	return origins
}

func parseEntry(entry string) (origin, bool) {
	switch entry {
	case "*":
		return origin{any: true}, true
	case "self":
		return origin{self: true}, true
	case "null":
		return origin{null: true}, true
	}
	rest, anyPort := strings.CutSuffix(entry, ":*")
	o, ok := parseOrigin(rest)
	if anyPort {
		o.port = "*"
	}
	if host, sub := strings.CutPrefix(o.host, "*."); sub {
		o.host, o.sub = "."+host, true
	}
	return o, ok && !strings.Contains(o.host, "*") && strings.Trim(o.host, ".") != ""
}

// parseOrigin reads what a browser sends: a scheme, a host and perhaps a port,
// nothing else.
func parseOrigin(s string) (origin, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return origin{}, false
	}
	return origin{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: portOf(u.Port(), u.Scheme)}, true
}

func portOf(port, scheme string) string {
	switch {
	case port != "":
		return port
	case scheme == "http":
		return "80"
	case scheme == "https":
		return "443"
	}
	return ""
}

// allows reports whether the request may come from where it comes from.
func (h *Handler) allows(r *http.Request) bool {
	values := r.Header["Origin"]
	if len(values) == 0 {
		return true
	}
	if len(values) > 1 {
		return false
	}
	from, ok := parseOrigin(values[0])
	for _, o := range h.origins {
		switch {
		case o.any:
			return true
		case o.null:
			if values[0] == "null" {
				return true
			}
		case !ok:
		case o.self:
			if from.isOf(r) {
				return true
			}
		case o.matches(from):
			return true
		}
	}
	return false
}

func (o *origin) matches(from origin) bool {
	if o.scheme != from.scheme || o.port != "*" && o.port != from.port {
		return false
	}
	if o.sub {
		return strings.HasSuffix(from.host, o.host) && len(from.host) > len(o.host)
	}
	return o.host == from.host
}

// isOf reports whether o is the origin of the server's own pages.
func (o *origin) isOf(r *http.Request) bool {
	if o.scheme != "https" && (r.TLS != nil || o.scheme != "http") {
		return false
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = strings.Trim(r.Host, "[]"), ""
	}
	return strings.EqualFold(host, o.host) && portOf(port, o.scheme) == o.port
}
