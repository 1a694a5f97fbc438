package frame

import (
	"encoding/binary"
	"math/bits"
)

// Mask masks or unmasks b in place (RFC 6455, 5.3). The key has its first byte on the wire lowest; pos, 0 to 3, is
// the place in the key where b begins. It returns the place where the bytes after b go on.
//
// Eight bytes a step, 64 a turn, is as far as this goes: the compiler makes each step one load, one xor and one
// store, and the slice expressions leave no bounds check inside a turn. There is no assembly, because masking is a
// small share of what a message costs and one form for all machines can be trusted.
func Mask(key uint32, pos int, b []byte) int {
	next := (pos + len(b)) & 3
	if key == 0 {
		return next
	}
	key = bits.RotateLeft32(key, -8*pos)
	wide := uint64(key)<<32 | uint64(key)
	le := binary.LittleEndian
	for len(b) >= 64 {
		t := b[:64:64]
		le.PutUint64(t[0:8], le.Uint64(t[0:8])^wide)
		le.PutUint64(t[8:16], le.Uint64(t[8:16])^wide)
		le.PutUint64(t[16:24], le.Uint64(t[16:24])^wide)
		le.PutUint64(t[24:32], le.Uint64(t[24:32])^wide)
		le.PutUint64(t[32:40], le.Uint64(t[32:40])^wide)
		le.PutUint64(t[40:48], le.Uint64(t[40:48])^wide)
		le.PutUint64(t[48:56], le.Uint64(t[48:56])^wide)
		le.PutUint64(t[56:64], le.Uint64(t[56:64])^wide)
		b = b[64:]
	}
	for len(b) >= 8 {
		le.PutUint64(b, le.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(wide >> (8 * i))
	}
	return next
}
