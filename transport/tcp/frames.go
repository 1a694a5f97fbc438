package tcp

import (
	"bytes"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Frames is the framing of the session protocol (docs/protocol.md, section 2.2):
// a JSON object per line. Lines of white space, from a person who presses return, are
// dropped.
//
// What begins in another way is told by its first bytes, which begin no JSON
// object, and ends the link: TLS spoken to a port without it, the binary form of
// the protocol, and a request of HTTP.
var Frames = &Framing{
	Name: "frames",
	Kind: longwire.JSON,
	Next: nextFrame,
	Rest: func(p []byte) ([]byte, bool) { p = bytes.TrimSpace(p); return p, len(p) > 0 },
	Append: func(dst []byte, _ longwire.Kind, p []byte) []byte {
		return append(append(dst, p...), '\n')
	},
}

const tlsHandshake = 0x16 // RFC 8446, section 5.1

var (
	preface = []byte("LW") // of the binary form

	errTLS    = wire.Errorf(wire.CodeWrongProtocol, "this port speaks JSON lines without TLS; connect without TLS, or give the server a certificate")
	errHTTP   = wire.Errorf(wire.CodeWrongProtocol, "This port speaks JSON lines over TCP, not HTTP")
	errBinary = wire.Errorf(wire.CodeUnsupportedData, "the binary form is not spoken here yet; send JSON, one frame per line")
)

func nextFrame(p []byte, seen, max int) ([]byte, int, error) {
	switch {
	case len(p) > 0 && p[0] == tlsHandshake: // before its line has an end; it has none
		return nil, 0, errTLS
	case bytes.HasPrefix(p, preface):
		return nil, 0, errBinary
	}
	line, n, err := nextLine(p, seen, max)
	switch {
	case err != nil || n == 0:
		return nil, 0, err
	case isHTTP(line):
		return nil, 0, errHTTP
	case len(bytes.TrimSpace(line)) == 0:
		return nil, n, nil
	}
	return line, n, nil
}

// isHTTP reports whether a line is the first of an HTTP request.
func isHTTP(line []byte) bool {
	return len(line) > 0 && line[0] >= 'A' && line[0] <= 'Z' && bytes.Contains(line, []byte(" HTTP/"))
}
