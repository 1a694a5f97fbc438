package content

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/longwire/longwire/wire"
)

// What a publication may have beside its data, from the headers of the request
// that publishes it (docs/protocol.md, section 5.2).

var (
	errKey = wire.Errorf(wire.CodeBadRequest,
		"an Idempotency-Key is 1 to %d visible ASCII characters, or a string in quotes (RFC 8941, section 3.3.3)", wire.MaxKey)
	errHeaders = wire.Errorf(wire.CodeBadRequest, "a publication has at most %d headers, with at most %d bytes in all", wire.MaxHeaders, wire.MaxHeaderBytes)
	errHeader  = wire.Errorf(wire.CodeBadRequest, "a header of a publication is Longwire-Header-NAME, with a value in UTF-8")
)

// Key returns the key of a publication, or an empty one if there is none.
func Key(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(values[0])
	var ok bool
	if strings.HasPrefix(key, `"`) {
		key, ok = unquote(key)
	} else {
		ok = !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
	}
	if !ok || len(values) > 1 || key == "" || len(key) > wire.MaxKey {
		return "", errKey
	}
	return key, nil
}

// unquote reads a string of RFC 8941, section 3.3.3.
func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			return b.String(), i == len(s)-1
		case c == '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
			c = s[i]
		case c < ' ' || c > '~':
			return "", false
		}
		b.WriteByte(c)
	}
	return "", false // no end
}

const headerPrefix = "Longwire-Header-"

// Headers returns the headers of a publication, nil if there are none. HTTP does
// not tell their case, so they are in lower case.
func Headers(h http.Header) (map[string]string, error) {
	var headers map[string]string
	size := 0
	for name, values := range h {
		own, ok := strings.CutPrefix(name, headerPrefix) // net/http has made the case canonical
		if !ok {
			continue
		}
		value := strings.Join(values, ", ")
		if own == "" || !utf8.ValidString(value) {
			return nil, errHeader
		}
		if headers == nil {
			headers = map[string]string{}
		}
		headers[strings.ToLower(own)] = value
		if size += len(own) + len(value); size > wire.MaxHeaderBytes || len(headers) > wire.MaxHeaders {
			return nil, errHeaders
		}
	}
	return headers, nil
}
