package wire

import "iter"

// A Subscription is one entry of the `subscribe` of a connect frame. Since is nil if it was not there.
type Subscription struct {
	Channel []byte
	Since   []byte
}

// Subscriptions walks the subscriptions that the frame asks for. The last may be an error, an [Error] with
// [CodeBadFrame]: an entry is an object with a channel and perhaps since, each a string that is there once.
func (f *Frame) Subscriptions() iter.Seq2[Subscription, error] {
	return func(yield func(Subscription, error) bool) {
		if f.Subscribe == nil {
			return
		}
		s := scanner{p: f.Subscribe, i: 1}
		for !s.take(']') {
			s.take(',')
			s.next()
			entry, err := s.subscription()
			if !yield(entry, err) || err != nil {
				return
			}
		}
	}
}

// subscription reads an entry of a list that was checked.
func (s *scanner) subscription() (e Subscription, err error) {
	if !s.take('{') {
		return e, errEntry
	}
	for first := true; ; first = false {
		name, ok := s.name(first)
		if !ok {
			break
		}
		name = s.unescaped(name)
		var to *[]byte
		switch string(name) {
		case "channel":
			to = &e.Channel
		case "since":
			to = &e.Since
		}
		value, ok := s.text()
		switch {
		case to == nil:
		case *to != nil:
			return e, Errorf(CodeBadFrame, "an entry of subscribe has %s twice; say it once", name)
		case !ok:
			return e, errEntry
		default:
			*to = value
		}
	}
	if e.Channel == nil {
		return e, errEntry
	}
	return e, nil
}

var errEntry = Errorf(CodeBadFrame, `an entry of subscribe is an object such as {"channel":"news"}, or {"channel":"news","since":"all"}`)

// unescaped returns what the last string means, given what stands between its quotes. What it stands in is
// not changed, because it may be walked again.
func (s *scanner) unescaped(raw []byte) []byte {
	if s.last&escaped == 0 {
		return raw
	}
	return appendUnescaped(make([]byte, 0, len(raw)), raw)
}

// text walks a value that was checked and returns what it means if it is a string.
func (s *scanner) text() (p []byte, ok bool) {
	start := s.i
	s.value()
	if s.p[start] != '"' {
		return nil, false
	}
	return s.unescaped(s.p[start+1 : s.i-1]), true
}

// HeaderMap returns the headers of the frame, nil without any. An error is an [Error] with [CodeBadFrame]: they
// are at most [MaxHeaders] strings under different names, with [MaxHeaderBytes] in all.
func (f *Frame) HeaderMap() (map[string]string, error) {
	if f.Headers == nil {
		return nil, nil
	}
	var headers map[string]string
	size := 0
	s := scanner{p: f.Headers, i: 1}
	for first := true; ; first = false {
		raw, ok := s.name(first)
		if !ok {
			return headers, nil
		}
		name := string(s.unescaped(raw))
		value, ok := s.text()
		if !ok {
			return nil, Errorf(CodeBadFrame, "header %.40q is no string; put quotes around it", name)
		}
		if _, twice := headers[name]; twice {
			return nil, Errorf(CodeBadFrame, "header %.40q is there twice; say it once", name)
		}
		if size += len(name) + len(value); size > MaxHeaderBytes || len(headers) == MaxHeaders {
			return nil, errHeaders
		}
		if headers == nil {
			headers = make(map[string]string)
		}
		headers[name] = string(value)
	}
}
