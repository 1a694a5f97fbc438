package client

import (
	"bytes"
	"strconv"
	"time"
)

// An eventReader reads Server-Sent Events (WHATWG HTML, section 9.2.6), except
// that a lone CR ends no line: no server of ours sends one.
type eventReader struct {
	lines *lineReader
	begun bool
	retry time.Duration // as the stream said last; zero: it did not
	data  []byte
}

// An event is one block of a stream. It is valid until the next is read.
type event struct {
	name string // empty: message
	id   string // of this block; empty: none
	data []byte // nil: only an id came
}

// next returns the next block that has data or an id.
func (r *eventReader) next() (event, error) {
	var ev event
	some := false
	r.data = r.data[:0]
	for {
		line, err := r.lines.next()
		if err != nil {
			return event{}, err // a block that was not ended is none
		}
		if !r.begun {
			r.begun = true
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			if some {
				ev.data = r.data[:len(r.data)-1]
			}
			if some || ev.id != "" {
				return ev, nil
			}
			ev = event{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(field) { // of a comment it is empty
		case "data":
			r.data = append(append(r.data, value...), '\n')
			some = true
		case "event":
			ev.name = string(value)
		case "id":
			if !bytes.ContainsRune(value, 0) {
				ev.id = string(value)
			}
		case "retry":
			if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
				r.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
}
