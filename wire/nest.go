package wire

// A nest is the arrays and objects around a place in JSON text: one bit for each, so that a bracket costs an
// attacker and us the same, however many there are.
type nest struct {
	objects [MaxDepth / 64]uint64
	depth   int
}

func (n *nest) push(object bool) {
	i, bit := n.depth/64, uint64(1)<<(n.depth%64)
	n.objects[i] &^= bit
	if object {
		n.objects[i] |= bit
	}
	n.depth++
}

// inObject reports whether the innermost is an object. There is one.
func (n *nest) inObject() bool {
	i := uint(n.depth-1) % MaxDepth
	return n.objects[i/64]>>(i%64)&1 != 0
}

// nested walks the array or object that begins at the next byte. One that is inside of MaxDepth-1 others, and
// a frame's own object counts, is too deep.
func (s *scanner) nested() bool {
	var n nest
	for {
		// A value begins here.
		switch c := s.inner(); c {
		case '{', '[':
			if n.depth == MaxDepth-1 {
				s.deep = true
				return s.skip(n.depth)
			}
			s.i++
			n.push(c == '{')
			if s.inner() == c+2 { // } and ] are two behind { and [
				break // it is empty, and closed below
			}
			if c == '{' && !s.key() {
				return false
			}
			continue
		default:
			if !s.scalar() {
				return false
			}
		}
		if more, ok := s.after(&n); !more {
			return ok
		}
	}
}

// after goes on behind a value, or behind the bracket of an empty one's beginning, to the next value. There is
// no more once all is closed, or where the text breaks.
func (s *scanner) after(n *nest) (more, ok bool) {
	for n.depth > 0 {
		object := n.inObject()
		switch c := s.inner(); {
		case c == ',':
			s.i++
			return !object || s.key(), false
		case c == '}' && object, c == ']' && !object:
			s.i++
			n.depth--
		case object:
			return false, s.fail("a comma or } should be here")
		default:
			return false, s.fail("a comma or ] should be here")
		}
	}
	return false, true
}

// inner is next inside of a value, where white space is noted.
func (s *scanner) inner() byte {
	if s.i < len(s.p) && s.p[s.i] > ' ' {
		return s.p[s.i]
	}
	from := s.i
	c := s.next()
	if s.i > from {
		s.spaced = true
	}
	return c
}

// key walks a member's name and its colon.
func (s *scanner) key() bool {
	if s.inner() != '"' {
		return s.fail("a member's name should be here, in quotes")
	}
	if !s.str() {
		return false
	}
	if s.inner() != ':' {
		return s.fail("a colon should be here")
	}
	s.i++
	return true
}

// skip passes what is too deep, up to the end of the value that is depth levels around it, looking at brackets
// and strings only: the frame is refused, but the id behind it is to be echoed.
func (s *scanner) skip(depth int) bool {
	for s.i < len(s.p) {
		switch s.p[s.i] {
		case '"':
			if !s.str() {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.i++
		if depth == 0 {
			return true
		}
	}
	return s.fail("it ends here")
}

// CheckJSON returns nil if p is one JSON value in UTF-8, which nests no deeper than a frame that carries it may:
// below [MaxDepth]. Otherwise it returns an [Error] with [CodeBadUTF8] or [CodeBadRequest].
func CheckJSON(p []byte) error {
	s := scanner{p: p}
	s.space()
	ok := s.value() && s.end()
	return s.refusal(ok, CodeBadRequest, "this is not valid JSON")
}
