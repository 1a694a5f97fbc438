package frame

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
)

// acceptGUID is fixed by RFC 6455, 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AcceptKey gives the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455, 4.2.2). SHA-1 proves here
// only that the other side speaks WebSocket; nothing secret hangs on it.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// ValidKey reports whether key is 16 bytes in the canonical form of base64 (RFC 6455, 4.1, RFC 4648, 3.5).
func ValidKey(key string) bool {
	const size = 16
	if len(key) != base64.StdEncoding.EncodedLen(size) {
		return false
	}
	var raw [size + 2]byte
	n, err := base64.StdEncoding.Strict().Decode(raw[:], []byte(key))
	return err == nil && n == size
}

// HeaderHasToken reports whether one of the comma-separated lists in values has the token, in whatever case
// (RFC 9110, 5.6.1). Only ASCII letters are folded: by Unicode's rules U+212A would pass for a k.
func HeaderHasToken(values []string, token string) bool {
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			if equalFoldASCII(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}

func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
