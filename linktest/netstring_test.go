package linktest_test

import (
	"bytes"
	"strconv"

	"github.com/longwire/longwire/transport/tcp"
	"github.com/longwire/longwire/wire"
)

// nextNetstring is how a user of transport/tcp writes a framing: the length in
// decimal, a colon, the bytes.
func nextNetstring(p []byte, _, max int) (body []byte, n int, err error) {
	head := bytes.IndexByte(p, ':')
	if head < 0 {
		if len(p) > 10 {
			err = wire.Errorf(wire.CodeBadFrame, "a netstring begins with its length and a colon")
		}
		return nil, 0, err
	}
	size, err := strconv.Atoi(string(p[:head]))
	switch {
	case err != nil || size < 0:
		return nil, 0, wire.Errorf(wire.CodeBadFrame, "a netstring begins with its length and a colon")
	case size > max:
		return nil, 0, tcp.TooLarge(max)
	case len(p) < head+1+size:
		return nil, 0, nil
	}
	return p[head+1:][:size], head + 1 + size, nil
}

func appendNetstring(dst, p []byte) []byte {
	return append(append(strconv.AppendInt(dst, int64(len(p)), 10), ':'), p...)
}
