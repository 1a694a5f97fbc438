package torture

import (
	"bytes"
	"fmt"

	"github.com/longwire/longwire/wire"
)

// Payloads. Each has its publication's ID in front, and then what follows from the ID alone, so that a byte that is
// another than was published is noticed. Most are small; a few are large, so that sockets fill up and readers fall behind.

// typeOf returns what kind of data a publication is: every third is JSON, every third binary.
func typeOf(id ID) wire.Type {
	switch id.N % 3 {
	case 1:
		return wire.JSON
	case 2:
		return wire.Binary
	}
	return wire.Text
}

// large is the number from which on a publisher's publications are all large.
const large = 1000

// payload returns the data of a publication.
func payload(id ID) []byte {
	h := uint64(id.Publisher)*0x9e3779b97f4a7c15 ^ uint64(id.N)*0xbf58476d1ce4e5b9
	h ^= h >> 29
	n := 20 + h%180
	switch {
	case h%499 == 0:
		n = 64 << 10
	case h%23 == 0, id.Publisher > large:
		n = 2<<10 + h%(6<<10)
	}
	b := fmt.Appendf(nil, "%s ", id)
	for range n {
		h = h*6364136223846793005 + 1442695040888963407
		b = append(b, 'a'+byte(h>>40)%26)
	}
	if typeOf(id) == wire.JSON {
		return append(append([]byte{'"'}, b...), '"')
	}
	return b
}

// recognise returns whose payload it is, and what is wrong with it.
func recognise(t wire.Type, p []byte) (id ID, wrong string) {
	if _, err := fmt.Sscanf(string(bytes.TrimPrefix(p[:min(len(p), 32)], []byte{'"'})), "p%d/%d", &id.Publisher, &id.N); err != nil {
		return ID{}, fmt.Sprintf("a payload that nobody published: %.40q", p)
	}
	if !bytes.Equal(p, payload(id)) || t != typeOf(id) {
		return id, fmt.Sprintf("the payload is not as it was published: %v %.60q", t, p)
	}
	return id, ""
}

// contentType returns what a POST says of a payload.
func contentType(t wire.Type) string {
	switch t {
	case wire.JSON:
		return "application/json"
	case wire.Text:
		return "text/plain"
	}
	return "application/octet-stream"
}
