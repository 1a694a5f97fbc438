package park

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Head is the status line and header of an HTTP/1 response that net/http
// does not write, because its connection was taken.
type Head struct {
	Status int         // zero means 200
	Header http.Header // a field with a nil value is left out, as net/http does
	Minor  int         // of the request's HTTP/1 version
	Length int64       // of the body; negative means that it is not known
	Close  bool        // the connection ends after the response
}

// AppendHead appends the response's head to dst. Fields that say where the
// body or the connection ends are written by it, and dropped from h.Header:
// Connection, Content-Length, Transfer-Encoding and their like. Date is added,
// unless it is there. It returns an error that wraps [ErrHeader] if a name or a
// value could not be sent without becoming something else, as one with a line
// break in it.
func AppendHead(dst []byte, now time.Time, h *Head) ([]byte, error) {
	status := h.Status
	if status == 0 {
		status = http.StatusOK
	}
	b := append(dst, "HTTP/1."...)
	b = strconv.AppendInt(b, int64(min(h.Minor, 1)), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	if _, ok := h.Header["Date"]; !ok {
		b = append(b, "Date: "...)
		b = now.UTC().AppendFormat(b, http.TimeFormat)
		b = append(b, "\r\n"...)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Header)) {
		if owned(name, status) || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		if !isToken(name) {
			return dst, fmt.Errorf("%w: name %q", ErrHeader, name)
		}
		for _, v := range h.Header[name] {
			if !isValue(v) {
				return dst, fmt.Errorf("%w: %s: %q", ErrHeader, name, v)
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, strings.Trim(v, " \t")...)
			b = append(b, "\r\n"...)
		}
	}
	return append(h.appendFraming(b, status), "\r\n"...), nil
}

// Chunked reports whether the body is to be sent in chunks: its length is not
// known and the client's version has them (RFC 9112, section 7.1).
func (h *Head) Chunked() bool { return h.Length < 0 && h.Minor > 0 && hasBody(h.Status) }

// Reusable reports whether the connection outlives the response.
func (h *Head) Reusable() bool {
	return !h.Close && (h.Length >= 0 || h.Minor > 0 || !hasBody(h.Status))
}

func (h *Head) appendFraming(b []byte, status int) []byte {
	switch {
	case status == http.StatusSwitchingProtocols:
		return append(b, "Connection: Upgrade\r\n"...)
	case !hasBody(status):
	case h.Length >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, h.Length, 10)
		b = append(b, "\r\n"...)
	case h.Chunked():
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case !h.Reusable():
		b = append(b, "Connection: close\r\n"...)
	case h.Minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}

// hasBody reports whether responses of a status have a body (RFC 9110, section 6.4.1).
func hasBody(status int) bool {
	return status == 0 || status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// owned reports whether a field concerns this connection alone (RFC 9110,
// section 7.6.1) or the end of the body.
func owned(name string, status int) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Content-Length", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "Te", "Trailer":
		return true
	case "Upgrade":
		return status != http.StatusSwitchingProtocols
	}
	return false
}

// isToken is RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isValue is RFC 9110, section 5.5: no controls but the tab.
func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
