package tcp

import (
	"bytes"
	"encoding/binary"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A Framing cuts the byte stream into messages and puts messages into it. Its
// functions are pure: they keep nothing and may run on several goroutines at
// once. A program can bring its own; copy one of the variables below to change
// only a part of it. A Framing is not to be changed once it serves. If Next or Rest
// panics, that ends its link with handler_panic, and no other.
type Framing struct {
	// Name is for people.
	Name string
	// Kind is what messages of this framing are.
	Kind longwire.Kind
	// Next finds the first message in p. It returns the message, which lies in p,
	// and how many bytes of p it and its framing took; zero means that it is not all
	// there yet, and a nil message with a count that these bytes are none. The
	// first seen bytes of p were looked at before, without finding an end. A message of more than max bytes is refused by
	// [TooLarge], as soon as its length is known.
	Next func(p []byte, seen, max int) (body []byte, n int, err error)
	// Rest turns what came after the last whole message, when the peer has
	// finished writing, into a message; false or a nil function drops it.
	Rest func(p []byte) (body []byte, ok bool)
	// Append appends p with its framing to dst.
	Append func(dst []byte, kind longwire.Kind, p []byte) []byte
}

// TooLarge is the error of a Framing for a message over the limit.
func TooLarge(max int) error {
	return wire.Errorf(wire.CodeTooLarge, "a message may have at most %d bytes here; send a smaller one", max)
}

// Raw has no framing: a message is whatever one read brought, and is sent as it is.
var Raw = &Framing{
	Name:   "raw",
	Next:   func(p []byte, _, max int) ([]byte, int, error) { n := min(len(p), max); return p[:n], n, nil },
	Append: func(dst []byte, _ longwire.Kind, p []byte) []byte { return append(dst, p...) },
}

// Lines ends each message with a line feed; a carriage return before it is
// dropped. A last line may lack its end. Messages that are sent must not
// contain line feeds.
var Lines = &Framing{
	Name: "lines",
	Kind: longwire.Text,
	Next: nextLine,
	Rest: func(p []byte) ([]byte, bool) { return bytes.TrimSuffix(p, cr), true },
	Append: func(dst []byte, _ longwire.Kind, p []byte) []byte {
		return append(append(dst, p...), '\n')
	},
}

var cr = []byte{'\r'}

func nextLine(p []byte, seen, max int) ([]byte, int, error) {
	i := bytes.IndexByte(p[seen:], '\n')
	if i < 0 {
		if len(p) > max+1 { // a carriage return may be its last
			return nil, 0, TooLarge(max)
		}
		return nil, 0, nil
	}
	body := bytes.TrimSuffix(p[:seen+i], cr)
	if len(body) > max {
		return nil, 0, TooLarge(max)
	}
	return body, seen + i + 1, nil
}

// Uint32 begins each message with its length, four bytes in network order.
var Uint32 = &Framing{
	Name: "uint32",
	Next: func(p []byte, _, max int) ([]byte, int, error) {
		if len(p) < 4 {
			return nil, 0, nil
		}
		return cut(p, 4, uint64(binary.BigEndian.Uint32(p)), max)
	},
	Append: func(dst []byte, _ longwire.Kind, p []byte) []byte {
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(p))), p...)
	},
}

// Varint begins each message with its length as a varint, as Protocol Buffers
// do (base 128, least significant group first). Lengths need not be in the
// shortest form, but end within ten bytes.
var Varint = &Framing{
	Name: "varint",
	Next: nextVarint,
	Append: func(dst []byte, _ longwire.Kind, p []byte) []byte {
		return append(binary.AppendUvarint(dst, uint64(len(p))), p...)
	},
}

var errVarint = wire.Errorf(wire.CodeBadFrame, "a length does not end within ten bytes; send varint-delimited messages")

func nextVarint(p []byte, _, max int) ([]byte, int, error) {
	size, n := binary.Uvarint(p)
	switch {
	case n > 0:
		return cut(p, n, size, max)
	case n < 0 || len(p) >= binary.MaxVarintLen64:
		return nil, 0, errVarint
	}
	return nil, 0, nil
}

// cut returns the message of size bytes behind a head.
func cut(p []byte, head int, size uint64, max int) ([]byte, int, error) {
	if size > uint64(max) {
		return nil, 0, TooLarge(max)
	}
	end := head + int(size)
	if len(p) < end {
		return nil, 0, nil
	}
	return p[head:end], end, nil
}
