package longwire

import (
	"crypto/tls"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// LinkInfo describes a link. It never changes, and is kept small: it lives as
// long as the link, many thousand times.
type LinkInfo struct {
	Transport string         // tcp, ws, or the name of a stream's encoder: sse, ndjson, poll, lines, or one's own
	Parked    bool           // served by a loop alone; else goroutines serve it
	Local     netip.AddrPort // zero where the connection has no IP address
	Remote    netip.AddrPort
	TLS       *tls.ConnectionState // nil without TLS
	Target    string               // path and query of the HTTP request; empty on TCP
	Protocol  string               // the WebSocket subprotocol that was agreed on
	Header    Header               // of the HTTP request, without what the transport itself used
}

// A Header is the header of an HTTP request in one string, lines of
// "Name: value" with names in canonical form: a small fraction of what an
// [net/http.Header] takes.
type Header string

// Get returns the first value of name, which is matched without regard to
// case, or the empty string.
func (h Header) Get(name string) string {
	for k, v := range h.All() {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// All walks the header's names and values in the order of the names.
func (h Header) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(string(h)) {
			if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok && !yield(name, value) {
				return
			}
		}
	}
}

// HeaderOf packs an HTTP header, leaving out the names for which skip returns true.
func HeaderOf(h map[string][]string, skip func(name string) bool) Header {
	var b strings.Builder
	for name, values := range sorted(h) {
		if skip != nil && skip(name) {
			continue
		}
		for _, v := range values {
			b.WriteString(name)
			b.WriteString(": ")
			b.WriteString(v)
			b.WriteByte('\n')
		}
	}
	return Header(b.String())
}

func sorted(h map[string][]string) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			if !yield(name, h[name]) {
				return
			}
		}
	}
}
