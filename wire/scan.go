package wire

// A scanner walks JSON text once, from its beginning to its end, and checks all of it. It copies nothing and
// does not recurse. What comes before the text breaks has been seen by then, which is how the id of a broken
// frame is known.
type scanner struct {
	p      []byte
	i      int  // the next byte
	isUTF8 bool // somebody has checked that p is

	why    string // how the text breaks at i; empty while it does not
	last   textNotes
	all    textNotes // of every string
	spaced bool      // white space was skipped inside of a value
	deep   bool      // something nests too deep; it was skipped unchecked
}

func (s *scanner) fail(why string) bool {
	s.why = why
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func skipSpace(p []byte, i int) int {
	for i < len(p) && isSpace(p[i]) {
		i++
	}
	return i
}

// next skips white space and returns the byte behind it, which is zero at the end.
func (s *scanner) next() byte {
	if s.i < len(s.p) && s.p[s.i] > ' ' {
		return s.p[s.i]
	}
	s.i = skipSpace(s.p, s.i)
	if s.i < len(s.p) {
		return s.p[s.i]
	}
	return 0
}

// take skips white space and c, if that follows.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.i++
	return true
}

// end reports whether only white space follows.
func (s *scanner) end() bool {
	if s.i = skipSpace(s.p, s.i); s.i < len(s.p) {
		return s.fail("something follows the value")
	}
	return true
}

// name goes on inside of an object, to the next member's value. It returns the member's name as it is
// written, without quotes. There is none at the object's end, which is behind it then, and where the text
// breaks. The first name of an object has no comma before it.
func (s *scanner) name(first bool) (name []byte, ok bool) {
	c := s.next()
	if c == '}' {
		s.i++
		return nil, false
	}
	if !first {
		if c != ',' {
			return nil, s.fail("a comma or } should be here")
		}
		s.i++
		c = s.next()
	}
	if c != '"' {
		return nil, s.fail("a member's name should be here, in quotes")
	}
	start := s.i + 1
	if !s.str() {
		return nil, false
	}
	name = s.p[start : s.i-1]
	if !s.take(':') {
		return nil, s.fail("a colon should be here")
	}
	s.next()
	return name, true
}

// value walks the value that begins at the next byte.
func (s *scanner) value() bool {
	if s.i < len(s.p) {
		switch s.p[s.i] {
		case '"':
			return s.str()
		case '{', '[':
			return s.nested()
		}
	}
	return s.word()
}

func (s *scanner) str() bool {
	end, notes := stringAt(s.p, s.i, s.isUTF8)
	s.last = notes
	s.all |= notes
	if end < 0 {
		return s.brokenString(end)
	}
	s.i = end
	return true
}

func (s *scanner) brokenString(at int) bool {
	s.i = ^at
	switch {
	case s.i == len(s.p):
		return s.fail("it ends inside of a string")
	case s.p[s.i] != '\\':
		return s.fail("a control character in a string is written as an escape")
	}
	return s.fail("this is no escape")
}

func (s *scanner) word() bool {
	end := wordAt(s.p, s.i)
	if end < 0 {
		return s.brokenWord(end)
	}
	s.i = end
	return true
}

func (s *scanner) brokenWord(at int) bool {
	begun := ^at > s.i
	s.i = ^at
	switch {
	case s.i == len(s.p):
		return s.fail("it ends here")
	case begun:
		return s.fail("a digit should be here")
	}
	return s.fail("a value should be here")
}
