package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A request is a frame of a client (docs/protocol.md, section 3).
type request struct {
	Op      string          `json:"op"`
	ID      json.RawMessage `json:"id"`
	Channel string          `json:"channel"`
	Type    string          `json:"type"`
	Data    json.RawMessage `json:"data"`
	Data64  *string         `json:"data64"`

	id uint64 // zero without one
}

const frameHint = `send one JSON object per line or message, for instance {"op":"subscribe","id":1,"channel":"news"}`

// parseRequest decodes a frame. With an error the request has its id all the
// same, if that was legible.
func parseRequest(p []byte) (*request, error) {
	q := &request{}
	if !utf8.Valid(p) {
		return q, &wire.Error{Code: wire.CodeBadUTF8}
	}
	if p = bytes.TrimSpace(p); len(p) == 0 || p[0] != '{' {
		return q, wire.Errorf(wire.CodeBadFrame, "this is no JSON object; %s", frameHint)
	}
	decoding := json.Unmarshal(p, q) // a member of the wrong type does not keep it from the others
	if q.ID != nil {
		id, err := strconv.ParseUint(string(q.ID), 10, 64)
		if err != nil || id == 0 || id > wire.MaxID {
			return q, wire.Errorf(wire.CodeBadFrame, "an id is an integer from 1 to 9007199254740991, chosen by the client")
		}
		q.id = id
	}
	if decoding != nil {
		return q, wire.Errorf(wire.CodeBadFrame, "this frame cannot be decoded (%s); %s", decoding, frameHint)
	}
	return q, nil
}

// data returns what a publish frame carries, and what it is.
func (q *request) data() (longwire.Kind, []byte, error) {
	switch {
	case q.Data64 != nil:
		p, err := base64.StdEncoding.DecodeString(*q.Data64)
		if err != nil {
			return 0, nil, wire.Errorf(wire.CodeBadFrame, "data64 is not base64 with padding (RFC 4648, section 4)")
		}
		return longwire.Binary, p, nil
	case q.Data == nil:
		return 0, nil, wire.Errorf(wire.CodeBadFrame, `publish needs data (a JSON value, or a string with "type":"text") or data64`)
	case q.Type == "text":
		var s string
		if err := json.Unmarshal(q.Data, &s); err != nil || q.Data[0] != '"' {
			return 0, nil, wire.Errorf(wire.CodeBadFrame, `with "type":"text", data is a string`)
		}
		return longwire.Text, []byte(s), nil
	case q.Type != "" && q.Type != "json":
		return 0, nil, wire.Errorf(wire.CodeBadFrame, `type is "json" or "text"; other bytes go into data64`)
	}
	return longwire.JSON, q.Data, nil
}
