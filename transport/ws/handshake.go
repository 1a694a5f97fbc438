package ws

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/longwire/longwire/internal/frame"
	"github.com/longwire/longwire/internal/park"
	"github.com/longwire/longwire/wire"
)

// A shake is what a handshake has agreed on. There are no extensions in it:
// of those that are offered none is accepted, as RFC 6455 section 9.1 allows.
type shake struct {
	accept   string
	protocol int // index into Handler.Subprotocols; -1 without
}

// A refusal says how a handshake is answered that is none, or is not welcome.
type refusal struct {
	err    *wire.Error
	status int       // zero: that of the code
	header [2]string // one more header that the answer needs
	cause  error     // for the log
}

func (f refusal) because(err error) *refusal {
	f.cause = err
	return &f
}

func bad(format string, args ...any) *refusal {
	return &refusal{err: wire.Errorf(wire.CodeBadUpgrade, format, args...)}
}

var (
	badMethod = &refusal{
		err:    wire.Errorf(wire.CodeMethodNotAllowed, "a WebSocket handshake is a GET request"),
		header: [2]string{"Allow", http.MethodGet},
	}
	badProto = bad("a WebSocket handshake needs HTTP/1.1; HTTP/2 and HTTP/1.0 are not supported here")
	badPlain = &refusal{
		err:    wire.Errorf(wire.CodeBadUpgrade, "this address speaks WebSocket; connect with ws:// or wss:// (Upgrade: websocket)"),
		status: http.StatusUpgradeRequired, header: [2]string{"Upgrade", "websocket"},
	}
	badConnection = bad("the Connection header must contain Upgrade; a proxy in between may have removed it")
	badKey        = bad("Sec-WebSocket-Key must be there once, 16 bytes in base64")
	badVersion    = &refusal{
		err:    wire.Errorf(wire.CodeBadUpgrade, "only version 13 of the WebSocket protocol is spoken here"),
		status: http.StatusUpgradeRequired, header: [2]string{"Sec-WebSocket-Version", "13"},
	}
	badOrigin = &refusal{err: &wire.Error{Code: wire.CodeBadOrigin}}
)

// shake checks a handshake as RFC 6455 section 4.2.1 says.
func (h *Handler) shake(r *http.Request) (shake, *refusal) {
	switch {
	case r.Method != http.MethodGet && r.ProtoMajor == 1:
		return shake{}, badMethod
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return shake{}, badProto
	case !frame.HeaderHasToken(r.Header["Upgrade"], "websocket"):
		return shake{}, badPlain
	case !frame.HeaderHasToken(r.Header["Connection"], "upgrade"):
		return shake{}, badConnection
	case !once(r.Header["Sec-Websocket-Version"], func(v string) bool { return v == "13" }):
		return shake{}, badVersion
	case !once(r.Header["Sec-Websocket-Key"], frame.ValidKey):
		return shake{}, badKey
	case !h.origins.Allows(r):
		return shake{}, badOrigin
	}
	protocol, refused := h.choose(r.Header["Sec-Websocket-Protocol"])
	if refused != nil {
		return shake{}, refused
	}
	return shake{accept: frame.AcceptKey(r.Header["Sec-Websocket-Key"][0]), protocol: protocol}, nil
}

func once(values []string, valid func(string) bool) bool {
	return len(values) == 1 && valid(values[0])
}

// choose picks the first of the server's subprotocols that is offered. Their
// names are compared as they are (RFC 6455, section 4.1).
func (h *Handler) choose(offers []string) (int, *refusal) {
	var offered []string
	for _, o := range offers {
		for name := range strings.SplitSeq(o, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				offered = append(offered, name)
			}
		}
	}
	for i, name := range h.Subprotocols {
		if slices.Contains(offered, name) {
			return i, nil
		}
	}
	if len(offered) == 0 && !h.RequireSubprotocol {
		return -1, nil
	}
	if len(h.Subprotocols) == 0 {
		return -1, bad("no subprotocol is spoken here; offer none")
	}
	return -1, bad("offer one of these subprotocols: %s", strings.Join(h.Subprotocols, ", "))
}

const (
	headStart    = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
	headProtocol = "\r\nSec-WebSocket-Protocol: "
	headEnd      = "\r\n\r\n"
)

// head is the answer to a handshake, with what middleware had set.
func (s shake) head(t *park.Taken, protocol string) ([]byte, error) {
	if len(t.Header) == 0 {
		b := make([]byte, 0, len(headStart)+len(s.accept)+len(headProtocol)+len(protocol)+len(headEnd))
		b = append(append(b, headStart...), s.accept...)
		if protocol != "" {
			b = append(append(b, headProtocol...), protocol...)
		}
		return append(b, headEnd...), nil
	}
	head := t.Head(http.StatusSwitchingProtocols, 0)
	head.Header["Upgrade"] = []string{"websocket"}
	head.Header["Sec-Websocket-Accept"] = []string{s.accept}
	// What was not agreed on must not be told (RFC 6455, section 4.1).
	delete(head.Header, "Sec-Websocket-Extensions")
	delete(head.Header, "Sec-Websocket-Protocol")
	if protocol != "" {
		head.Header["Sec-Websocket-Protocol"] = []string{protocol}
	}
	return park.AppendHead(nil, time.Now(), head)
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, f *refusal) {
	h.log().LogAttrs(r.Context(), slog.LevelDebug, "ws: a handshake was refused",
		slog.String("from", r.RemoteAddr), slog.Any("err", f.err), slog.Any("cause", f.cause))
	if f.header[0] != "" {
		w.Header().Set(f.header[0], f.header[1])
	}
	if f.status == http.StatusUpgradeRequired {
		// RFC 9110, section 7.8: whoever sends Upgrade also says so in Connection.
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
	}
	wire.WriteProblem(w, f.status, f.err)
}
