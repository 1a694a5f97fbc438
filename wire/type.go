package wire

import "strings"

// A Type says what data is. The numbers are those of longwire.Kind.
type Type uint8

// The types.
const (
	Binary Type = iota // any bytes
	Text               // valid UTF-8
	JSON               // one JSON value, in UTF-8
)

// String returns the type's name: binary, text or json.
func (t Type) String() string {
	switch t {
	case Text:
		return "text"
	case JSON:
		return "json"
	}
	return "binary"
}

// CheckContentType returns nil if s can be the `type` of data that is neither json nor text: a media type, so
// printable ASCII with a slash in it, of at most [MaxContentType] bytes. Otherwise it returns an [Error] with
// [CodeBadFrame].
func CheckContentType(s string) error {
	if len(s) > MaxContentType || !strings.Contains(s, "/") {
		return errType
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return errType
		}
	}
	return nil
}

var errType = Errorf(CodeBadFrame, `type is "json", "text" or a media type such as image/png, of at most %d bytes`, MaxContentType)
