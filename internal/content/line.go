package content

import (
	"bytes"

	"github.com/longwire/longwire/wire"
)

// A Batch reads the lines of a batch for one channel (docs/protocol.md, section
// 5.2). A line is what a publish frame is, without the members that the request
// says for all of them: op, id and channel.
type Batch struct {
	tail  []byte // what makes a frame of a line, in place of its last brace
	frame wire.Frame
}

// NewBatch returns a reader of lines for a channel, whose name is valid.
func NewBatch(channel string) *Batch {
	return &Batch{tail: []byte(`,"op":"publish","channel":"` + channel + `"}`)}
}

var errLine = wire.Errorf(wire.CodeBadFrame,
	`a line is an object with data or data64, for instance {"data":{"a":1}} or {"type":"text","data":"hi","key":"42"}`)

// Parse reads a line, which is not blank, as the frame that it stands for. Errors
// and their codes are those of frames. The frame is good until the next call,
// its slices for ever: they are a copy.
func (b *Batch) Parse(line []byte) (*wire.Frame, error) {
	line = bytes.TrimRight(line, " \t\r\n")
	last := len(line) - 1
	if last < 0 || line[last] != '}' {
		return nil, errLine
	}
	// Only an object that lacks its brace alone becomes one by the tail, and
	// places in the text, which errors name, stay where they are. Op and channel of
	// the line's own are there twice then, which is refused.
	p := make([]byte, 0, last+len(b.tail))
	p = append(append(p, line[:last]...), b.tail...)
	if c := bytes.TrimLeft(p, " \t"); c[0] != '{' || bytes.HasPrefix(bytes.TrimLeft(c[1:], " \t"), b.tail[:1]) {
		return nil, errLine
	}
	if err := b.frame.Parse(p); err != nil {
		return nil, err
	}
	return &b.frame, nil
}
