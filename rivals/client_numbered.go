//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// Numbered publications tell the place that they have in their channel, so that a client knows whether it was given
// all of them, in order, and once.

const numberDigits = 8

// numbered is data of size bytes that begins with a number.
func numbered(n, size int) []byte {
	p := payload(max(size, numberDigits))
	copy(p, fmt.Sprintf("%0*d", numberDigits, n))
	return p
}

// A hearer takes the messages of one link apart.
type hearer struct {
	part []byte // the beginning of a frame that has not come whole
	next int    // the number of the message that comes next
}

// hear takes in p, and returns how many messages it made whole. All are to be of the channel.
func (h *hearer) hear(p []byte, channel string) (msgs int, err error) {
	for len(h.part) > 0 && len(p) > 0 {
		n, head := serverFrameSize(h.part)
		want := 1
		if head > 0 {
			want = head + n - len(h.part)
		}
		k := min(want, len(p))
		h.part, p = append(h.part, p[:k]...), p[k:]
		if head > 0 && k == want {
			if err := h.frame(h.part[head:], channel, &msgs); err != nil {
				return msgs, err
			}
			h.part = h.part[:0]
		}
	}
	for len(p) > 0 {
		n, head := serverFrameSize(p)
		if head == 0 || len(p) < head+n {
			h.part = append(h.part[:0], p...)
			break
		}
		if err := h.frame(p[head:head+n], channel, &msgs); err != nil {
			return msgs, err
		}
		p = p[head+n:]
	}
	return msgs, nil
}

func (h *hearer) frame(f []byte, channel string, msgs *int) error {
	switch {
	case bytes.HasPrefix(f, []byte(`{"op":"message"`)):
	case len(f) == 0, bytes.HasPrefix(f, []byte(`{"op":"ping"`)), bytes.HasPrefix(f, []byte(`{"op":"reply"`)), connected(f) == nil:
		return nil
	default:
		return fmt.Errorf("the server says %.200q", f)
	}
	_, data, _ := bytes.Cut(f, []byte(`"data":"`))
	number, err := strconv.Atoi(string(data[:min(len(data), numberDigits)]))
	if err != nil || number != h.next || !bytes.Contains(f, []byte(`"channel":"`+channel+`"`)) {
		return fmt.Errorf("want message %d of %s, got %.200q", h.next, channel, f)
	}
	h.next++
	*msgs++
	return nil
}
