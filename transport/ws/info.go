package ws

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"unique"

	"github.com/longwire/longwire"
)

// newLink notes what a link shall know of its request. The request itself, with
// net/http's buffers, must not be held by it; so target and header are copied
// into one string, with a line feed between them, which neither can contain in
// its first line.
func newLink(h *Handler, r *http.Request, s shake) *link {
	l := &link{h: h, tls: r.TLS, local: unique.Make(localAddr(r)), remote: parseAddr(r.RemoteAddr)}
	l.request = target(r) + "\n" + string(header(r.Header))
	l.protocol = uint16(s.protocol + 1)
	l.parked = h.Engine.Or().Loops().Descriptors()
	l.reader.Config = &h.reader
	return l
}

// target is what the request line asks for, whatever middleware has cut off it.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI() // of a request that names the whole URL, or that did not come over a wire
}

// header packs what is not of the handshake; programs often send nothing else.
func header(h http.Header) longwire.Header {
	for name := range h {
		if !used(name) {
			return longwire.HeaderOf(h, used)
		}
	}
	return ""
}

// used reports whether a header is of the handshake alone.
func used(name string) bool {
	return name == "Connection" || name == "Upgrade" || strings.HasPrefix(name, "Sec-Websocket-")
}

func localAddr(r *http.Request) netip.AddrPort {
	switch a := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	case net.Addr:
		return parseAddr(a.String())
	}
	return netip.AddrPort{}
}

// parseAddr reads an address as net/http has it, or as a middleware that knows
// the client behind a proxy may have set it, without a port.
func parseAddr(s string) netip.AddrPort {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	ip, _ := netip.ParseAddr(s) // zero if it is neither
	return netip.AddrPortFrom(ip, 0)
}

// Info makes the description anew each time: few ask for it, and none has to
// keep it. Any goroutine.
func (l *link) Info() *longwire.LinkInfo {
	target, header, _ := strings.Cut(l.request, "\n")
	return &longwire.LinkInfo{
		Transport: "ws", Parked: l.parked, Local: l.local.Value(), Remote: l.remote, TLS: l.tls,
		Target: target, Header: longwire.Header(header), Protocol: l.subprotocol(),
	}
}

// subprotocol is the one that was agreed on, or empty.
func (l *link) subprotocol() string {
	if l.protocol == 0 {
		return ""
	}
	return l.h.Subprotocols[l.protocol-1]
}
