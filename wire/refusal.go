package wire

import "unicode/utf8"

// refusal returns what is wrong with the text, or nil. Whatever else is wrong, text that is not UTF-8 is
// refused as such.
func (s *scanner) refusal(ok bool, c Code, what string) error {
	switch {
	case ok && !s.deep && s.all&badText == 0:
		return nil
	case !utf8.Valid(s.p):
		return &Error{Code: CodeBadUTF8}
	case s.deep:
		return Errorf(c, "arrays and objects may nest %d deep; use fewer", MaxDepth)
	}
	return Errorf(c, "%s (byte %d: %s)", what, s.i+1, s.why)
}
