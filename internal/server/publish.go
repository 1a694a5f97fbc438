package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// bodyTime is how long the body of a request may take to arrive.
const bodyTime = 30 * time.Second

// publish answers POST /channels/{channel} (docs/protocol.md, section 5.2).
func (s *Server) publish(w http.ResponseWriter, r *http.Request, channel string) {
	number, subscribers, err := s.publishBody(w, r, channel)
	if err != nil {
		wire.WriteProblem(w, 0, errorOf(err))
		return
	}
	b := fmt.Appendf(nil, `{"channel":"%s","position":"%s","subscribers":%d}`+"\n", channel, positionOf(nil, number), subscribers)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // a client that is gone has published all the same
}

func (s *Server) publishBody(w http.ResponseWriter, r *http.Request, channel string) (number uint64, subscribers int, err error) {
	if err := wire.CheckChannel(channel); err != nil {
		return 0, 0, err
	}
	declared, err := contentKind(r.Header)
	if err != nil {
		return 0, 0, err
	}
	if r.ContentLength > wire.MaxMessage && r.Header.Get("Expect") != "" {
		return 0, 0, errTooLarge // its client waits for a word before it sends all that (RFC 9110, section 10.1.1)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxMessage))
	if err != nil {
		return 0, 0, bodyError(err)
	}
	data, err := appendData(nil, declared.kind(body), body)
	if err != nil {
		return 0, 0, err
	}
	number, subscribers = s.room.publish(time.Now(), channel, data)
	return number, subscribers, nil
}

// A contentType is what a request says that its body is.
type contentType int

const (
	guess contentType = iota // it does not say, or says what curl -d says of anything
	isJSON
	isText
	isBinary
)

func contentKind(h http.Header) (contentType, error) {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return 0, wire.Errorf(wire.CodeUnsupportedData, "a body with Content-Encoding is not taken; send it as it is")
	}
	value := h.Get("Content-Type")
	if value == "" {
		return guess, nil
	}
	t, params, err := mime.ParseMediaType(value)
	if err != nil {
		return 0, wire.Errorf(wire.CodeBadRequest, "this Content-Type cannot be understood; use application/json, text/plain or application/octet-stream")
	}
	if c := params["charset"]; c != "" && !strings.EqualFold(c, "utf-8") && !strings.EqualFold(c, "us-ascii") {
		return 0, wire.Errorf(wire.CodeUnsupportedData, "only UTF-8 is taken as text; convert it, or send application/octet-stream")
	}
	switch {
	case t == "application/x-www-form-urlencoded":
		return guess, nil
	case t == "application/json":
		return isJSON, nil
	case strings.HasPrefix(t, "text/"):
		return isText, nil
	case t == "application/octet-stream":
		return isBinary, nil
	}
	return 0, wire.Errorf(wire.CodeUnsupportedData, "this Content-Type is not taken; use application/json, text/plain or application/octet-stream")
}

func (t contentType) kind(body []byte) longwire.Kind {
	switch {
	case t == isJSON, t == guess && isContainer(body) && json.Valid(body):
		return longwire.JSON
	case t == isText, t == guess && utf8.Valid(body):
		return longwire.Text
	}
	return longwire.Binary
}

// isContainer reports whether body may be a JSON object or array. A bare number
// or word is more likely meant as text.
func isContainer(body []byte) bool {
	s := strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n")
	return s != "" && (s[0] == '{' || s[0] == '[') && utf8.Valid(body)
}

var errTooLarge = wire.Errorf(wire.CodeTooLarge, "a publication has at most %d bytes; send a smaller one", wire.MaxMessage)

func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	return wire.Errorf(wire.CodeBadRequest, "the body did not arrive whole; send all of it within %v", bodyTime)
}
