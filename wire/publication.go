package wire

import "unicode/utf8"

// What a publication has beside its data, for programs that do not send it as a frame. A frame's own is
// checked where it is read: Parse and HeaderMap.

// CheckKey returns nil if s can be the key of a publication, or none: at most [MaxKey] bytes of UTF-8.
// Otherwise it returns an [Error] with [CodeBadFrame] or [CodeBadUTF8].
func CheckKey(s string) error {
	switch {
	case len(s) > MaxKey:
		return Errorf(CodeBadFrame, "%s is %s", mKey, rules[mKey].want())
	case !utf8.ValidString(s):
		return Errorf(CodeBadUTF8, "the key is not valid UTF-8")
	}
	return nil
}

// CheckHeaders returns nil if a publication may have these headers: at most [MaxHeaders], with at most
// [MaxHeaderBytes] of UTF-8 in all. Otherwise it returns an [Error] with [CodeBadFrame] or [CodeBadUTF8].
func CheckHeaders(headers map[string]string) error {
	if len(headers) > MaxHeaders {
		return errHeaders
	}
	size := 0
	for name, value := range headers {
		if size += len(name) + len(value); size > MaxHeaderBytes {
			return errHeaders
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return Errorf(CodeBadUTF8, "header %.40q is not valid UTF-8", name)
		}
	}
	return nil
}

var errHeaders = Errorf(CodeBadFrame, "headers are at most %d, with at most %d bytes in names and values", MaxHeaders, MaxHeaderBytes)
