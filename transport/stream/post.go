package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/content"
	"github.com/longwire/longwire/wire"
)

// Talking back: POST to the address of the stream with ?link=ID and the header
// Longwire-Secret, both as the stream's response and its first event told them.
// The body is one message, by its Content-Type: application/json, which must
// be valid; text/*, which must be UTF-8; application/x-ndjson, as many
// messages as there are lines, each as [NDJSON] has it; otherwise binary. No
// type, or the application/x-www-form-urlencoded that curl sends by
// itself, is guessed: an object or array is JSON, UTF-8 is text.
//
// The answer is 202 once the receiver has begun with the body. It tells
// nothing of what a body brought about: that comes down the stream.

const (
	bodyTime    = 30 * time.Second // to send a body
	patience    = 5 * time.Second  // for a receiver that has no time
	comeAgainIn = time.Second      // after that
)

func (h *Handler) post(w http.ResponseWriter, r *http.Request, q url.Values) {
	// Also for a request that is refused: net/http reads its body to the end. An
	// error means that the server's own deadlines must do.
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	if h.closing.Load() {
		wire.WriteProblem(w, 0, &wire.Error{Code: wire.CodeDraining, Retry: h.retry()})
		return
	}
	if !q.Has("link") {
		h.pollOpen(w, r)
		return
	}
	l, err := h.linkOf(r, q)
	var d *delivery
	if err == nil {
		d, err = h.readBody(w, r)
	}
	if err == nil {
		d.l = l
		err = d.deliver(r)
	}
	if err != nil {
		wire.WriteProblem(w, 0, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// linkOf finds the link that a request names, and proves to be its.
func (h *Handler) linkOf(r *http.Request, q url.Values) (*link, *wire.Error) {
	i, ok := parseID(q.Get("link"))
	if !ok {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no such link")
	}
	l := h.links.find(i)
	if l == nil {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no such link, or it has ended; open another")
	}
	if !h.proves(i, r.Header.Get("Longwire-Secret")) {
		return nil, wire.Errorf(wire.CodeForbidden, "the header Longwire-Secret is not this link's")
	}
	return l, nil
}

// readBody reads and checks a body. The deadline is for the caller to set.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request) (*delivery, *wire.Error) {
	p, err := readAll(w, r, h.maxMessage())
	if err != nil {
		return nil, err
	}
	return newDelivery(r.Header.Get("Content-Type"), p)
}

// readAll reads a body of at most so many bytes.
func readAll(w http.ResponseWriter, r *http.Request, most int) ([]byte, *wire.Error) {
	tooLarge := wire.Errorf(wire.CodeTooLarge, "a body may have at most %d bytes", most)
	if r.ContentLength > int64(most) {
		return nil, tooLarge
	}
	p, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge
		}
		if e, ok := errors.AsType[*wire.Error](err); ok { // the node's: it ends
			return nil, e
		}
		w.Header().Set("Connection", "close")
		return nil, wire.Errorf(wire.CodeBadRequest, "the body did not arrive whole within %v", bodyTime)
	}
	http.NewResponseController(w).SetReadDeadline(time.Time{})
	return p, nil
}

func newDelivery(contentType string, p []byte) (*delivery, *wire.Error) {
	d := &delivery{body: p, size: len(p), done: make(chan wire.Code, 1)}
	t, err := content.ParseType(contentType)
	if err == nil && t.Lines {
		d.lines = true
		return d, d.checkLines()
	}
	var kind wire.Type
	if err == nil {
		kind, err = t.Check(p)
	}
	if e, ok := errors.AsType[*wire.Error](err); ok { // as all of them are
		return nil, e
	}
	d.kind = longwire.Kind(kind)
	return d, nil
}

// checkLines looks at all lines before the first is told, so that a body is
// told as a whole or not at all.
func (d *delivery) checkLines() *wire.Error {
	all := d.body
	for n := 1; len(d.body) > 0; n++ {
		line := d.line()
		if len(line) == 0 {
			continue
		}
		if _, _, err := parseElement(line); err != nil {
			return wire.Errorf(wire.CodeBadRequest, "line %d: %v", n, err)
		}
	}
	d.body = all
	return nil
}

var (
	errJSON   = errors.New("not valid JSON")
	errBase64 = errors.New("data64 is not base64")
)

// parseElement is the reverse of what NDJSON does to a message.
func parseElement(p []byte) (longwire.Kind, []byte, error) {
	if !json.Valid(p) {
		return 0, nil, errJSON
	}
	if p[0] == '"' {
		var s string
		err := json.Unmarshal(p, &s)
		return longwire.Text, []byte(s), err
	}
	if p[0] != '{' || !bytes.Contains(p, []byte(`"data64"`)) {
		return longwire.JSON, p, nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(p, &m); err != nil {
		return 0, nil, errJSON
	}
	if len(m) != 1 || m["data64"] == nil {
		return longwire.JSON, p, nil
	}
	var b []byte
	if err := json.Unmarshal(m["data64"], &b); err != nil {
		return 0, nil, errBase64
	}
	return longwire.Binary, b, nil
}

// deliver brings the body to the link and waits until it is taken over.
func (d *delivery) deliver(r *http.Request) *wire.Error {
	if !d.l.loop.PostTask(d) {
		return &wire.Error{Code: wire.CodeDraining}
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case code := <-d.done:
		return refusalOf(code)
	case <-t.C:
	case <-r.Context().Done():
	}
	if !d.l.loop.PostTask((*withdrawTask)(d)) {
		return &wire.Error{Code: wire.CodeDraining}
	}
	return refusalOf(<-d.done)
}

func refusalOf(code wire.Code) *wire.Error {
	switch code {
	case "":
		return nil
	case wire.CodeNotFound:
		return wire.Errorf(code, "the link has ended; open another")
	}
	return &wire.Error{Code: code, Message: "the receiver has no time for more; wait, then send it again", Retry: comeAgainIn}
}
