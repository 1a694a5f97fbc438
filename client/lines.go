package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/longwire/longwire/wire"
)

// A lineReader reads lines of at most maxFrame bytes.
type lineReader struct {
	r    *bufio.Reader
	long []byte // a line that did not fit into r's buffer
}

func newLineReader(r io.Reader) *lineReader { return &lineReader{r: bufio.NewReaderSize(r, 16<<10)} }

// next returns the next line without its end, LF or CRLF. It is valid until the
// next call. A last line without an end is none: it was cut.
func (l *lineReader) next() ([]byte, error) {
	l.long = l.long[:0]
	if cap(l.long) > 1<<20 {
		l.long = nil // a large one passed; do not sit on it
	}
	for {
		p, err := l.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if l.long = append(l.long, p...); len(l.long) > maxFrame {
				return nil, wire.Errorf(wire.CodeTooLarge, "the server sent a line over %d bytes", maxFrame)
			}
			continue
		case err != nil:
			return nil, err
		}
		if len(l.long) > 0 {
			l.long = append(l.long, p...)
			p = l.long
		}
		return bytes.TrimSuffix(p[:len(p)-1], []byte{'\r'}), nil
	}
}
