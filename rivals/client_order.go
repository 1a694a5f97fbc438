//go:build linux

package main

import "errors"

// How a publisher orders messages: by control lines, over links of its own that wait for answers, or over one that
// has no answers to wait for.

// orders has the server process publish.
func orders(child *Child) func(int64) (int64, error) {
	return func(n int64) (int64, error) { return n, child.Publish(int(n)) }
}

// A mouth publishes over links of its own. Each waits for the answer before it publishes again.
type mouth struct {
	crew *crew
	say  func(dst []byte, id int) []byte
	idle chan int // links that wait for nothing

	// Owned by the measuring goroutine.
	buf []byte
	id  int
}

// newMouth takes the fleet; the answers are counted by size. told is called after each.
func newMouth(f *fleet, size sizer, say func([]byte, int) []byte, told func()) (*mouth, error) {
	m := &mouth{say: say, idle: make(chan int, len(f.fds))}
	for i := range f.fds {
		m.idle <- i
	}
	var err error
	m.crew, err = newCrew(f, len(f.fds), func(_ *worker, l *link, p []byte) (int, error) {
		n, err := l.count(p, size)
		switch {
		case err != nil:
			return 0, err
		case n > 1:
			return 0, errors.New("two answers to one publication")
		case n == 1:
			m.idle <- l.i
			told()
		}
		return n, nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return m, m.crew.start(nil)
}

// order publishes as many of n messages as there are idle links.
func (m *mouth) order(n int64) (sent int64, err error) {
	for sent < n {
		select {
		case i := <-m.idle:
			m.id++
			m.buf = m.say(m.buf[:0], m.id)
			if err := writeAll(m.crew.fleet.fds[i], m.buf); err != nil {
				return sent, err
			}
			sent++
		default:
			return sent, nil
		}
	}
	return sent, nil
}

// shout publishes n messages at once on the only link of a fleet.
func shout(f *fleet, say func(dst []byte, id int) []byte) func(int64) (int64, error) {
	var buf []byte
	return func(n int64) (int64, error) {
		buf = buf[:0]
		for range n {
			buf = say(buf, 1)
		}
		return n, writeAll(f.fds[0], buf)
	}
}
