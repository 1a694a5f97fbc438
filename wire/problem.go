package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// WriteProblem answers an HTTP request with e as application/problem+json
// (RFC 9457), and `code` beside its standard members. The status is that of
// the code, unless status is not zero. What else the answer needs, as Allow
// beside 405, is set on w before.
func WriteProblem(w http.ResponseWriter, status int, e *Error) {
	if status == 0 {
		status = e.Code.Status()
	}
	// There is no `type`: without one a problem is what its status and its code say.
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // it is read by people, too, and never as HTML
	err := enc.Encode(struct {
		Code   Code   `json:"code"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{e.Code, http.StatusText(status), status, e.Text()})
	if err != nil {
		panic(err) // strings and a number can always be encoded
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if e.Retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.Retry+time.Second-1)/time.Second), 10))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that is gone needs no answer
}
