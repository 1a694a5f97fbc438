package ws

import (
	"testing"
	"unsafe"
)

// There are many links: what one is made of is bounded. A larger one needs a
// reason, and a look at BenchmarkIdle.
func TestLinkIsSmall(t *testing.T) {
	const most = 176 // a size that Go allocates
	if n := unsafe.Sizeof(link{}); n > most {
		t.Errorf("a link has %d bytes, want at most %d", n, most)
	}
}
