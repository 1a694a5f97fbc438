package content

import (
	"bytes"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/longwire/longwire/wire"
)

// A Type is what a request says that its body is (docs/protocol.md, section 5.2).
type Type struct {
	Kind  wire.Type
	Media string // of a body that is binary and yet more than that, such as image/png
	Guess bool   // nothing is said, or what curl -d says of anything: the body is to be looked at
	Lines bool   // a batch: a message on each line
}

var (
	errEncoded = wire.Errorf(wire.CodeUnsupportedData, "a body with Content-Encoding is not taken; send it as it is")
	errType    = wire.Errorf(wire.CodeBadRequest,
		"the Content-Type cannot be understood; use application/json, text/plain, application/octet-stream or a media type of at most %d bytes", wire.MaxContentType)
	errCharset   = wire.Errorf(wire.CodeUnsupportedData, "only UTF-8 is taken as text; convert it, or send application/octet-stream")
	errMultipart = wire.Errorf(wire.CodeUnsupportedData, "a form with parts is not taken; send the data itself as the body, for instance by curl --data-binary @FILE")
)

// TypeOf reads what the header of a request says.
func TypeOf(h http.Header) (Type, error) {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return Type{}, errEncoded
	}
	return ParseType(h.Get("Content-Type"))
}

// ParseType reads a Content-Type.
func ParseType(value string) (Type, error) {
	if value == "" {
		return Type{Guess: true}, nil
	}
	media, params, err := mime.ParseMediaType(value)
	if err != nil || !strings.Contains(media, "/") {
		return Type{}, errType
	}
	t := Type{}
	switch {
	case media == "application/x-www-form-urlencoded":
		t.Guess = true
	case media == "application/x-ndjson":
		t.Lines = true
	case media == "application/json":
		t.Kind = wire.JSON
	case strings.HasPrefix(media, "text/"):
		t.Kind = wire.Text
	case strings.HasPrefix(media, "multipart/"):
		return Type{}, errMultipart
	case media != "application/octet-stream":
		t.Media = mime.FormatMediaType(media, params)
		if wire.CheckContentType(t.Media) != nil {
			return Type{}, errType
		}
		return t, nil // what a charset means is the type's own affair
	}
	if c := params["charset"]; c != "" && !strings.EqualFold(c, "utf-8") && !strings.EqualFold(c, "us-ascii") {
		return Type{}, errCharset
	}
	return t, nil
}

// Guess looks at a body of which nothing is said. A bare number or word is more
// likely meant as text than as JSON.
func Guess(body []byte) wire.Type {
	valid := utf8.Valid(body)
	switch p := bytes.TrimLeft(body, " \t\r\n"); {
	case valid && len(p) > 0 && (p[0] == '{' || p[0] == '[') && wire.CheckJSON(p) == nil:
		return wire.JSON
	case valid:
		return wire.Text
	}
	return wire.Binary
}

// Check returns what a body of the type is, which is not a batch, or why it cannot be.
func (t Type) Check(body []byte) (wire.Type, error) {
	switch {
	case t.Guess:
		return Guess(body), nil
	case t.Kind == wire.JSON:
		return t.Kind, wire.CheckJSON(body)
	case t.Kind == wire.Text && !utf8.Valid(body):
		return t.Kind, &wire.Error{Code: wire.CodeBadUTF8}
	}
	return t.Kind, nil
}

// Data is Check that also returns the data of the body's publication, for which
// it may use the body's bytes: JSON is compacted.
func (t Type) Data(body []byte) (wire.Type, []byte, error) {
	kind, err := t.Check(body)
	if err != nil || kind != wire.JSON {
		return kind, body, err
	}
	return kind, wire.AppendCompact(make([]byte, 0, len(body)), body), nil
}
