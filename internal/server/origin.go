package server

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Which pages may use the server. A browser lets any page send requests to any
// server, and open WebSockets, and leaves it to the server to look at Origin
// (RFC 6455 section 10.2, the Fetch standard). Requests without Origin do not
// come from a page and pass.
//
// Pages whose origin is the host and port that the request is addressed to are
// the server's own. What that host may be on loopback, the check of Host says.

// origins is the answer to which pages may.
type origins struct {
	local bool // pages of localhost on any port
	list  []origin
}

// An origin is one entry of --allow-origin.
type origin struct {
	any, null    bool
	scheme, host string // in lower case
	port         string // always written out; "*" is any
	below        bool   // host stands for its subdomains
}

func parseOrigins(list []string, loopback bool) (origins, error) {
	o := origins{local: loopback && len(list) == 0}
	for _, entry := range list {
		e, ok := parseEntry(strings.TrimSpace(entry))
		if !ok {
			return o, usage(`--allow-origin %q is no origin; write a scheme and a host, and a port if it is not the scheme's own, `+
				`as "https://example.com", "https://*.example.com" or "http://localhost:*"`, entry)
		}
		o.list = append(o.list, e)
	}
	return o, nil
}

func parseEntry(entry string) (origin, bool) {
	switch entry {
	case "*":
		return origin{any: true}, true
	case "null":
		return origin{null: true}, true
	}
	rest, anyPort := strings.CutSuffix(entry, ":*")
	o, ok := parseOrigin(rest)
	if anyPort {
		o.port = "*"
	}
	o.host, o.below = strings.CutPrefix(o.host, "*.")
	return o, ok && o.host != "" && !strings.Contains(o.host, "*")
}

// parseOrigin reads what a browser sends (RFC 6454, section 6.2).
func parseOrigin(s string) (origin, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return origin{}, false
	}
	return origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), port: portOf(u.Port(), u.Scheme)}, true
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

// allow reports whether the page that sent r may use the server.
func (o *origins) allow(r *http.Request) bool {
	values := r.Header["Origin"]
	if len(values) != 1 {
		return len(values) == 0
	}
	from, ok := parseOrigin(values[0])
	if ok && (from.owns(r) || o.local && loopbackName(from.host)) {
		return true
	}
	for _, e := range o.list {
		if e.any || e.null && values[0] == "null" || ok && e.matches(from) {
			return true
		}
	}
	return false
}

func (o *origin) matches(from origin) bool {
	if o.scheme != from.scheme || o.port != "*" && o.port != from.port {
		return false
	}
	if o.below {
		return strings.HasSuffix(from.host, "."+o.host)
	}
	return o.host == from.host
}

// owns reports whether o is the server's own pages. Without TLS either scheme
// will do, because a proxy may have taken the TLS off.
func (o *origin) owns(r *http.Request) bool {
	if o.scheme != "https" && (r.TLS != nil || o.scheme != "http") {
		return false
	}
	host, port := splitHost(r.Host)
	return strings.EqualFold(host, o.host) && portOf(port, o.scheme) == o.port
}

// splitHost splits a Host header, in which the port may be missing.
func splitHost(hostport string) (host, port string) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]"), ""
	}
	return host, port
}

// loopbackName reports whether a host name cannot lead elsewhere than to this
// machine.
func loopbackName(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
