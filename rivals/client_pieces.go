//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
)

// A sizer tells the size of the piece (frame, line or response) at the front of p and how many messages it counts for.
// Size 0: too little of it is there to tell. It sees at most maxHead bytes.
type sizer func(p []byte) (size, msgs int, err error)

// maxHead is the most that a sizer needs to see: the header of an HTTP response.
const maxHead = 1024

// pieces counts what comes on a link in pieces of different sizes, without copying more than heads that are not whole.
type pieces struct {
	rest  int    // bytes to come of the piece that is coming
	worth int    // what it counts for
	head  []byte // the beginning of one whose size cannot be told yet
}

// count takes in p and returns the messages of the pieces that are whole now.
func (c *pieces) count(p []byte, size sizer) (msgs int, err error) {
	for len(p) > 0 {
		if c.rest == 0 {
			if known, err := c.next(p, size); !known || err != nil {
				return msgs, err
			}
		}
		n := min(c.rest, len(p))
		c.rest -= n
		p = p[n:]
		if c.rest == 0 {
			msgs += c.worth
		}
	}
	return msgs, nil
}

// next has the piece sized that begins with what is kept and p. Not known: all of p is kept.
func (c *pieces) next(p []byte, size sizer) (known bool, err error) {
	seen := p[:min(len(p), maxHead)]
	if kept := len(c.head); kept > 0 {
		seen = append(c.head, p[:min(len(p), maxHead-kept)]...)
	}
	n, worth, err := size(seen)
	switch {
	case err != nil:
		return false, err
	case n == 0 && len(seen) == maxHead:
		return false, fmt.Errorf("no end of the head of %.200q", seen)
	case n == 0:
		c.head = append(c.head[:0], seen...)
		return false, nil
	}
	c.rest, c.worth = n-len(c.head), worth
	c.head = c.head[:0]
	return true, nil
}

// whole counts messages of one size: n bytes more have come.
func (l *link) whole(n, size int) int {
	l.part += n
	msgs := l.part / size
	l.part -= msgs * size
	return msgs
}

// opSize sizes WebSocket frames of the session protocol. Messages and replies count, pings do not; anything else, an
// error or a gap above all, fails the run.
func opSize(p []byte) (size, msgs int, err error) {
	const start = `{"op":"`
	n, head := serverFrameSize(p)
	switch {
	case head == 0:
		return 0, 0, nil
	case p[0] == finPing:
		return head + n, 0, nil
	case p[0] != finText || n <= len(start):
		return 0, 0, fmt.Errorf("not a frame of a session: %.200q", p)
	case len(p) <= head+len(start):
		return 0, 0, nil
	}
	switch p[head+len(start)] {
	case 'm', 'r': // message, reply
		return head + n, 1, nil
	case 'p': // ping
		return head + n, 0, nil
	}
	return 0, 0, fmt.Errorf("want a message or a reply, got %.200q", p[head:])
}

// serverFrameSize is frameSize for frames without a mask.
func serverFrameSize(p []byte) (n, head int) {
	if len(p) < 2 {
		return 0, 0
	}
	n, head = int(p[1]), 2
	switch {
	case n == 126 && len(p) >= 4:
		n, head = int(binary.BigEndian.Uint16(p[2:])), 4
	case n == 127 && len(p) >= 10:
		n, head = int(binary.BigEndian.Uint64(p[2:])), 10
	case n >= 126:
		return 0, 0
	}
	return n, head
}

// natsSize sizes what a NATS server sends. MSG and +OK count.
func natsSize(p []byte) (size, msgs int, err error) {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		return 0, 0, nil
	}
	switch p[0] {
	case '+':
		return end + 1, 1, nil
	case 'P', 'I': // PING, PONG, INFO
		return end + 1, 0, nil
	case 'M': // MSG subject sid size\r\n payload \r\n
		line := p[:end-1]
		n, err := strconv.Atoi(string(line[bytes.LastIndexByte(line, ' ')+1:]))
		return end + 1 + n + 2, 1, err
	}
	return 0, 0, fmt.Errorf("the server says %.200q", p)
}

// httpSize sizes HTTP responses with a Content-Length. Only 200 counts; anything else fails the run.
func httpSize(p []byte) (size, msgs int, err error) {
	const length = "\r\nContent-Length: "
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, nil
	}
	_, rest, ok := bytes.Cut(p[:end+2], []byte(length))
	if !ok || !bytes.HasPrefix(p, []byte(statusOK)) {
		return 0, 0, fmt.Errorf("the server answers %.400q", p)
	}
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	n, err := strconv.Atoi(string(digits))
	return end + 4 + n, 1, err
}
