package client

import (
	"bytes"
	"unicode/utf8"

	"github.com/longwire/longwire/wire"
)

// A Type says what data is.
type Type = wire.Type

// The types. A publication arrives with the type that it was published with.
const (
	Binary = wire.Binary // any bytes
	Text   = wire.Text   // valid UTF-8
	JSON   = wire.JSON   // one JSON value, in UTF-8
)

// Data is what a publication or a call carries.
type Data struct {
	Type Type
	// ContentType is the media type of binary data, such as image/png; empty if
	// nothing is known of it.
	ContentType string
	Bytes       []byte
}

// Guess returns p as what it looks like: an object or array in JSON is JSON,
// other UTF-8 text, the rest binary. That is what the server does with
// what curl posts.
func Guess(p []byte) Data {
	switch t := bytes.TrimSpace(p); {
	case len(t) > 0 && (t[0] == '{' || t[0] == '[') && wire.CheckJSON(t) == nil:
		return Data{Type: JSON, Bytes: p}
	case utf8.Valid(p):
		return Data{Type: Text, Bytes: p}
	}
	return Data{Type: Binary, Bytes: p}
}
