package torture

// A stance is all that a subscriber carries from one link to the next (docs/protocol.md, section 1.3): where each of its
// subscriptions stands, and up to where all of them have come. The latter is what the ways ask for on which there is one
// position for all, and is older than the others where it comes from a way that tells each of its own.
type stance struct {
	each map[string]string // by name
	all  string
	// behind is how many publications of a name came after all was told, at most: whoever goes on from
	// all may get those again.
	behind map[string]int
}

func newStance(names []string, from string) stance {
	s := stance{map[string]string{}, from, map[string]int{}}
	for _, name := range names {
		s.each[name] = from
	}
	return s
}

// goBack has all subscriptions go on from where all have come.
func (s *stance) goBack() {
	for name := range s.each {
		s.each[name] = s.all
	}
}

// stand notes where all subscriptions stand: nothing of any that is up to there is missing, and nothing behind came.
func (s *stance) stand(at string) {
	s.all = at
	s.goBack()
	clear(s.behind)
}

// message notes where a publication came, by a way on which a position is everybody's or its subscription's alone. An
// event without an id has none.
func (s *stance) message(name, at string, everybodys bool) {
	switch {
	case at == "":
		s.behind[name]++
	case everybodys || len(s.each) == 1:
		s.stand(at)
	default:
		s.each[name] = at
		s.behind[name]++
	}
}

// gap notes where a subscription goes on behind a gap, which is its own business also where there is one position for all.
func (s *stance) gap(name, at string) {
	switch {
	case at == "":
	case len(s.each) == 1:
		s.stand(at)
	default:
		s.each[name] = at
	}
}
