// Package origin tells which web pages may use a server.
//
// A browser lets any page send requests to any server, and open WebSockets with
// the user's cookies, and leaves it to the server to look at the Origin header (RFC
// 6455, section 10.2; the Fetch standard). Requests without it do not come from a
// page and pass.
package origin

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// A Pattern is one entry of a list of origins.
type Pattern struct {
	word         string // "*", "null", "self" or "loopback"; the rest is then empty
	scheme, host string // in lower case
	port         string // always written out; "*" is any
	below        bool   // host begins with a dot and stands for its subdomains
}

// Parse reads an entry:
//
//	https://example.com     an origin; a default port may be left out
//	https://*.example.com   any subdomain, and not the domain itself
//	http://localhost:*      any port
//	*                       any origin
//	null                    pages without an origin, such as local files
//	self                    the server's own pages
//	loopback                pages of this machine, whatever their scheme and port
//
// The server's own are those whose origin has the host and port that the request is
// addressed to, with https if the request came over TLS. Without TLS either scheme
// will do, because a proxy may have taken the TLS off. This does not stop DNS
// rebinding, where a foreign page is the server's own by its name: listening on
// loopback, check Host with [IsLoopback] too.
func Parse(entry string) (Pattern, error) {
	entry = strings.TrimSpace(entry)
	switch entry {
	case "*", "null", "self", "loopback":
		return Pattern{word: entry}, nil
	}
	rest, anyPort := strings.CutSuffix(entry, ":*")
	p, ok := parse(rest)
	if anyPort {
		p.port = "*"
	}
	if strings.HasPrefix(p.host, "*.") {
		p.host, p.below = p.host[1:], true
	}
	if !ok || strings.Contains(p.host, "*") || strings.Trim(p.host, ".") == "" {
		return Pattern{}, fmt.Errorf("%q is no origin; write a scheme and a host, and a port if it is not the scheme's own, "+
			`as "https://example.com", "https://*.example.com" or "http://localhost:*"`, entry)
	}
	return p, nil
}

// parse reads what a browser sends (RFC 6454, section 6.2): a scheme, a host
// and perhaps a port, nothing else.
func parse(s string) (Pattern, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Pattern{}, false
	}
	return Pattern{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: portOf(u.Port(), u.Scheme)}, true
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

// A List is the pages that may use a server: those that one of its patterns names.
type List []Pattern

// ParseList reads entries. Those that cannot be understood name nothing, and are told
// in errs.
func ParseList(entries []string) (l List, errs []error) {
	for _, entry := range entries {
		p, err := Parse(entry)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		l = append(l, p)
	}
	return l, errs
}

// Allows reports whether the page that sent r may use the server, or none did.
func (l List) Allows(r *http.Request) bool {
	values := r.Header["Origin"]
	if len(values) != 1 {
		return len(values) == 0
	}
	from, ok := parse(values[0])
	for i := range l {
		p := &l[i]
		switch {
		case p.word == "*", p.word == "null" && values[0] == "null":
			return true
		case ok && p.names(&from, r):
			return true
		}
	}
	return false
}

// names reports whether p stands for the origin that a request came from.
func (p *Pattern) names(from *Pattern, r *http.Request) bool {
	switch p.word {
	case "":
		return p.scheme == from.scheme && (p.port == "*" || p.port == from.port) && p.onHost(from.host)
	case "self":
		return from.owns(r)
	case "loopback":
		return loopback(from.host)
	}
	return false
}

func (p *Pattern) onHost(host string) bool {
	if p.below {
		return strings.HasSuffix(host, p.host) && len(host) > len(p.host)
	}
	return host == p.host
}

// owns reports whether p is the origin of the server's own pages.
func (p *Pattern) owns(r *http.Request) bool {
	if p.scheme != "https" && (r.TLS != nil || p.scheme != "http") {
		return false
	}
	host, port := split(r.Host)
	return strings.EqualFold(host, p.host) && portOf(port, p.scheme) == p.port
}

// IsLoopback reports whether a Host header names this machine, so that no
// name server can have it lead elsewhere.
func IsLoopback(hostport string) bool {
	host, _ := split(hostport)
	return loopback(host)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// split splits a Host header, in which the port may be missing.
func split(hostport string) (host, port string) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]"), ""
	}
	return host, port
}
