package wire

import (
	"encoding/base64"
	"testing"
)

// Data of any length within the limit has room in a frame, as base64 too.
func TestMaxFrame(t *testing.T) {
	for _, n := range []int{1, 1000, 64 << 10, 1<<20 + 1, 16 << 20} {
		if most, data := MaxFrame(n), base64.StdEncoding.EncodedLen(n); most < data+4<<10 || most > data+64<<10 {
			t.Errorf("%d bytes of data take %d in base64, and a frame has %d", n, data, most)
		}
	}
	if MaxFrame(0) != MaxFrame(MaxMessage) {
		t.Errorf("by default %d", MaxFrame(0))
	}
}
