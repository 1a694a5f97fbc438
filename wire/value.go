package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
)

// Value appends the data of the frame to dst and returns what it is and the extended slice: JSON compacted,
// text unescaped, anything else decoded from base64. The content type is nil for JSON, for text and for bytes
// without one; it lies in the frame. An error is an [Error] with [CodeBadFrame].
func (f *Frame) Value(dst []byte) (t Type, p, contentType []byte, err error) {
	switch {
	case f.Data64 != nil:
		dst = slices.Grow(dst, base64.StdEncoding.DecodedLen(len(f.Data64)))
		if dst, err = base64.StdEncoding.AppendDecode(dst, f.Data64); err != nil {
			return Binary, nil, nil, errBase64
		}
		return Binary, dst, f.Type, nil
	case f.Data == nil:
		return JSON, nil, nil, Errorf(CodeBadFrame, "%s has no data", f.Op)
	case string(f.Type) == "text":
		return Text, appendUnescaped(slices.Grow(dst, len(f.Data)-2), f.Data[1:len(f.Data)-1]), nil, nil
	case f.compact:
		return JSON, append(dst, f.Data...), nil, nil
	}
	return JSON, AppendCompact(slices.Grow(dst, len(f.Data)), f.Data), nil, nil
}

var errBase64 = Errorf(CodeBadFrame, "data64 is not base64 with padding (RFC 4648, section 4)")

// AppendCompact appends a JSON value without the white space between its tokens; numbers and strings stay as
// they are. The value must be valid, as [CheckJSON] and [Frame.Parse] see to: what is appended otherwise is
// anything. It is on one line then, as a line end can only be between tokens.
func AppendCompact(dst, value []byte) []byte {
	if !hasSpace(value) {
		return append(dst, value...)
	}
	from := 0
	for i := 0; i < len(value); {
		switch c := value[i]; {
		case c == '"':
			i = stringEnd(value, i+1)
		case c > ' ':
			i++
		default:
			dst = append(dst, value[from:i]...)
			for i < len(value) && value[i] <= ' ' {
				i++
			}
			from = i
		}
	}
	return append(dst, value[from:]...)
}

// hasSpace reports whether there is white space anywhere, in strings or between tokens. In JSON no other byte
// is below 0x21.
func hasSpace(p []byte) bool {
	for len(p) >= 8 {
		if w := binary.LittleEndian.Uint64(p); (w-0x21*ones)&^w&highBits != 0 {
			return true
		}
		p = p[8:]
	}
	for _, c := range p {
		if c <= ' ' {
			return true
		}
	}
	return false
}

// stringEnd returns the place behind the string that i is inside of.
func stringEnd(p []byte, i int) int {
	for start := i; ; i++ {
		n := bytes.IndexByte(p[i:], '"')
		if n < 0 {
			return len(p)
		}
		i += n
		slashes := 0
		for i-slashes > start && p[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}
