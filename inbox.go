package longwire

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/longwire/longwire/wire"
)

// Inbox returns the channel that all sessions of a user are subscribed to by
// themselves: @ and the user's id, in which every byte outside A-Z a-z 0-9 _ - is
// written =XX in hexadecimal. One that would be longer than a token may be is
// =h and a hash of the id.
func Inbox(user string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 1, wire.MaxToken)
	b[0] = '@'
	for i := range len(user) {
		switch c := user[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
			b = append(b, c)
		default:
			b = append(b, '=', hex[c>>4], hex[c&15])
		}
	}
	if len(b) > wire.MaxToken {
		sum := sha256.Sum256([]byte(user))
		b = base64.RawURLEncoding.AppendEncode(append(b[:1], "=h"...), sum[:])
	}
	return string(b)
}
