package frame

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Close codes (RFC 6455, 7.4.1, and the IANA registry for 1012 to 1014).
const (
	CloseNormal       uint16 = 1000
	CloseGoingAway    uint16 = 1001
	CloseProtocol     uint16 = 1002
	CloseUnsupported  uint16 = 1003
	CloseNoStatus     uint16 = 1005 // stands for a Close frame without a code; never on the wire
	CloseAbnormal     uint16 = 1006 // stands for a connection lost without a Close frame; never on the wire
	CloseInvalidData  uint16 = 1007
	ClosePolicy       uint16 = 1008
	CloseTooBig       uint16 = 1009
	CloseExtension    uint16 = 1010
	CloseInternal     uint16 = 1011
	CloseRestart      uint16 = 1012
	CloseTryLater     uint16 = 1013
	CloseBadGateway   uint16 = 1014
	closeLibraryFirst uint16 = 3000 // from here on registered with IANA, from 4000 on private
	CloseFragments    uint16 = 4004 // longwire's own (docs/protocol.md, section 7): too many fragments
	closeLast         uint16 = 4999
)

// MaxReason is the most bytes of a reason that fit beside the code.
const MaxReason = MaxControl - 2

// ValidCloseCode reports whether a Close frame may carry the code.
func ValidCloseCode(code uint16) bool {
	switch {
	case code == 1004, code == CloseNoStatus, code == CloseAbnormal:
		return false
	case code >= CloseNormal && code <= CloseBadGateway:
		return true
	}
	return code >= closeLibraryFirst && code <= closeLast
}

// AppendClose appends an unmasked Close frame. A reason over MaxReason bytes loses its end, between two characters;
// what is not UTF-8 in it becomes U+FFFD. A code that must not be on the wire ([ValidCloseCode]) gives a Close frame
// without code and reason, which the peer reports as CloseNoStatus.
func AppendClose(dst []byte, code uint16, reason string) []byte {
	reason = closeReason(code, reason)
	dst = AppendHeader(dst, Header{Fin: true, Op: Close, Length: closeLength(code, reason)})
	return appendClosePayload(dst, code, reason)
}

// AppendMaskedClose is AppendClose for a client.
func AppendMaskedClose(dst []byte, code uint16, reason string, key uint32) []byte {
	reason = closeReason(code, reason)
	h := Header{Fin: true, Op: Close, Masked: true, Mask: key, Length: closeLength(code, reason)}
	dst = AppendHeader(dst, h)
	start := len(dst)
	dst = appendClosePayload(dst, code, reason)
	Mask(key, 0, dst[start:])
	return dst
}

func closeReason(code uint16, reason string) string {
	if !ValidCloseCode(code) {
		return ""
	}
	reason = strings.ToValidUTF8(reason, string(utf8.RuneError))
	if len(reason) <= MaxReason {
		return reason
	}
	end := MaxReason
	for !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}

func closeLength(code uint16, reason string) int64 {
	if !ValidCloseCode(code) {
		return 0
	}
	return int64(2 + len(reason))
}

func appendClosePayload(dst []byte, code uint16, reason string) []byte {
	if !ValidCloseCode(code) {
		return dst
	}
	return append(binary.BigEndian.AppendUint16(dst, code), reason...)
}

// parseClose reads the payload of a Close frame (RFC 6455, 5.5.1).
func parseClose(p []byte) (code uint16, reason []byte, err error) {
	switch {
	case len(p) == 0:
		return CloseNoStatus, nil, nil
	case len(p) == 1:
		return 0, nil, errCloseShort
	}
	code, reason = binary.BigEndian.Uint16(p), p[2:]
	switch {
	case !ValidCloseCode(code):
		return 0, nil, errCloseCode
	case !utf8.Valid(reason):
		return 0, nil, errCloseReason
	}
	return code, reason, nil
}
