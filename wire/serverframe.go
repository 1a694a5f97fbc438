package wire

import (
	"encoding/json"
	"time"
)

// A ServerFrame is what a server says, as a client reads it with encoding/json (docs/protocol.md, section 4).
// It has the members of all frames; which are set is told by the op. An op that is not known is [OpNone], and
// to be ignored.
type ServerFrame struct {
	Op Op     `json:"op"`
	ID uint64 `json:"id"` // of the frame that this one answers; zero without one

	// Of message, gap, and replies about a channel.

	Channel     string            `json:"channel"`
	Position    string            `json:"position"` // also of connected and ping
	Sub         string            `json:"sub"`      // the pattern that was subscribed to, if it was one
	Time        time.Time         `json:"time"`
	From        string            `json:"from"` // the public id of the session that published it; empty for the server
	Headers     map[string]string `json:"headers"`
	Gap         bool              `json:"gap"`
	After       string            `json:"after"`
	Lost        uint64            `json:"lost"`
	Subscribers int               `json:"subscribers"`

	// Data, of message, send, and replies to call. Value reads it.

	Method string          `json:"method"`
	Type   string          `json:"type"`
	Data   json.RawMessage `json:"data"`
	Data64 []byte          `json:"data64"` // nil if it was not there

	// Of error and close. Err puts them together.

	Code    Code   `json:"code"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Retry   int64  `json:"retry"` // milliseconds, -1 for never

	// Of connected. Connected puts them together.

	Session       string       `json:"session"`
	Secret        string       `json:"secret"`
	Version       int          `json:"version"`
	Limits        Limits       `json:"limits"`
	Ping          int64        `json:"ping"` // milliseconds
	Subscriptions []Subscribed `json:"subscriptions"`
}

// Value returns the frame's data and what it is, as [Frame.Value] does; the content type is empty for JSON, for
// text and for bytes without one. JSON is a slice of the frame. An error is an [Error] with [CodeBadFrame].
func (f *ServerFrame) Value() (t Type, contentType string, p []byte, err error) {
	switch {
	case f.Data64 != nil:
		return Binary, f.Type, f.Data64, nil
	case f.Data == nil:
		return JSON, "", nil, Errorf(CodeBadFrame, "the server's %s has no data", f.Op)
	case f.Type == "text":
		var s string
		if err := json.Unmarshal(f.Data, &s); err != nil || f.Data[0] != '"' {
			return Text, "", nil, Errorf(CodeBadFrame, "the server's text is no string")
		}
		return Text, "", []byte(s), nil
	}
	return JSON, "", f.Data, nil
}

// Err returns the error of an error or close frame, and nil for any other.
func (f *ServerFrame) Err() *Error {
	text := f.Message
	switch f.Op {
	case OpError:
	case OpClose:
		text = f.Reason
	default:
		return nil
	}
	return &Error{Code: f.Code, Message: text, Retry: time.Duration(f.Retry) * time.Millisecond}
}

// Connected returns what a connected frame says, and nil for any other.
func (f *ServerFrame) Connected() *Connected {
	if f.Op != OpConnected {
		return nil
	}
	return &Connected{
		ID: f.ID, Session: f.Session, Secret: f.Secret, Position: f.Position, Version: f.Version,
		Limits: f.Limits, Ping: time.Duration(f.Ping) * time.Millisecond, Subscriptions: f.Subscriptions,
	}
}
