package wire

// A nest is the arrays and objects around a place in JSON text: one bit for each, set for an object. So a
// bracket costs an attacker and us the same, however many there are.
type nest struct {
	objects [MaxDepth / 64]uint64
	depth   uint
}

// push goes into an array or object.
func (n *nest) push(object bool) {
	i, bit := n.depth/64%uint(len(n.objects)), uint64(1)<<(n.depth%64)
	n.objects[i] &^= bit
	if object {
		n.objects[i] |= bit
	}
	n.depth++
}

// inObject reports whether the innermost is an object. There is one.
func (n *nest) inObject() bool {
	i := n.depth - 1
	return n.objects[i/64%uint(len(n.objects))]>>(i%64)&1 != 0
}

// nested walks the array or object that begins at the next byte. One that is inside of MaxDepth-1 others, and
// a frame's own object counts, is too deep.
func (s *scanner) nested() bool {
	var n nest
	p, i := s.p, s.i
	for {
		// A value begins here, or an array ends that has none.
		i = s.inner(i)
		var c byte
		if i < len(p) {
			c = p[i]
		}
		switch c {
		case '{', '[':
			if n.depth == MaxDepth-1 {
				s.i = i
				return s.skip(int(n.depth))
			}
			n.push(c == '{')
			i = s.inner(i + 1)
			if i < len(p) && p[i] == c+2 { // } and ] are two behind { and [
				break // it is empty, and is closed below
			}
			if c == '{' {
				if i = s.key(i); i < 0 {
					return false
				}
			}
			continue
		case '"':
			end, notes := stringAt(p, i, s.isUTF8)
			s.all |= notes
			if end < 0 {
				return s.brokenString(end)
			}
			i = end
		default:
			s.i = i
			if !s.word() {
				return false
			}
			i = s.i
		}
		// It has ended. What is around it ends, too, or goes on.
		for {
			if n.depth == 0 {
				s.i = i
				return true
			}
			i = s.inner(i)
			object := n.inObject()
			if i < len(p) && p[i] == ',' {
				i++
				if !object {
					break
				}
				if i = s.key(s.inner(i)); i < 0 {
					return false
				}
				break
			}
			if i == len(p) || object && p[i] != '}' || !object && p[i] != ']' {
				return s.unclosed(i, object)
			}
			i++
			n.depth--
		}
	}
}

// inner skips white space inside of a value.
func (s *scanner) inner(i int) int {
	if i < len(s.p) && s.p[i] <= ' ' {
		s.spaced = true
		return skipSpace(s.p, i)
	}
	return i
}

// key walks a member's name and its colon. Where the text breaks the result is negative.
func (s *scanner) key(i int) int {
	if i == len(s.p) || s.p[i] != '"' {
		s.i = i
		s.fail("a member's name should be here, in quotes")
		return -1
	}
	end, notes := stringAt(s.p, i, s.isUTF8)
	s.all |= notes
	if end < 0 {
		s.brokenString(end)
		return -1
	}
	i = s.inner(end)
	if i == len(s.p) || s.p[i] != ':' {
		s.i = i
		s.fail("a colon should be here")
		return -1
	}
	return i + 1
}

func (s *scanner) unclosed(i int, object bool) bool {
	s.i = i
	if object {
		return s.fail("a comma or } should be here")
	}
	return s.fail("a comma or ] should be here")
}

// skip passes what is too deep, up to the end of the value that is depth levels around it, looking at brackets
// and strings only: the frame is refused, but the id behind it is to be echoed.
func (s *scanner) skip(depth int) bool {
	s.deep = true
	for i := s.i; i < len(s.p); i++ {
		switch s.p[i] | 0x20 { // which makes { of [, and } of ]
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				s.i = i + 1
				return true
			}
		case '"': // or 0x02, which may as well be taken for one
			end, _ := stringAt(s.p, i, true)
			if end < 0 {
				return s.brokenString(end)
			}
			i = end - 1
		}
	}
	s.i = len(s.p)
	return s.fail("it ends here")
}

// CheckJSON returns nil if p is one JSON value in UTF-8, which nests no deeper than one that a frame carries may:
// below [MaxDepth]. Otherwise it returns an [Error] with [CodeBadUTF8] or [CodeBadRequest].
func CheckJSON(p []byte) error {
	s := scanner{p: p}
	s.next()
	ok := s.value() && s.end()
	return s.refusal(ok, CodeBadRequest, "this is not valid JSON")
}
