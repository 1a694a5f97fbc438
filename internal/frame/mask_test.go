package frame

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

func maskBytewise(key uint32, pos int, b []byte) int {
	for i := range b {
		b[i] ^= byte(key >> (8 * pos))
		pos = (pos + 1) % 4
	}
	return pos
}

func TestMask(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for length := range 200 {
		for pos := range 4 {
			for offset := range 9 {
				key := random.Uint32()
				plain := make([]byte, offset+length+1)
				for i := range plain {
					plain[i] = byte(random.Uint32())
				}
				got, want := bytes.Clone(plain), bytes.Clone(plain)
				gotPos := Mask(key, pos, got[offset:offset+length])
				wantPos := maskBytewise(key, pos, want[offset:offset+length])
				if !bytes.Equal(got, want) || gotPos != wantPos {
					t.Fatalf("%d bytes at %d, key place %d: got %x, %d, want %x, %d", length, offset, pos, got, gotPos, want, wantPos)
				}
			}
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add(uint32(0x3D21FA37), []byte("Hello"), uint16(2))
	f.Add(uint32(0), []byte{}, uint16(0))
	f.Add(uint32(0xFF000000), bytes.Repeat([]byte{1, 2, 3}, 50), uint16(65))
	f.Fuzz(func(t *testing.T, key uint32, p []byte, at uint16) {
		want := bytes.Clone(p)
		maskBytewise(key, 0, want)
		got := bytes.Clone(p)
		cut := int(at) % (len(got) + 1)
		Mask(key, Mask(key, 0, got[:cut]), got[cut:])
		if !bytes.Equal(got, want) {
			t.Fatalf("cut at %d: got %x, want %x", cut, got, want)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	for _, mask := range []struct {
		name string
		f    func(uint32, int, []byte) int
	}{{"wide", Mask}, {"bytewise", maskBytewise}} {
		for _, size := range []int{16, 125, 1024, 65536} {
			b.Run(fmt.Sprintf("%s/%d", mask.name, size), func(b *testing.B) {
				p := make([]byte, size)
				b.SetBytes(int64(size))
				for b.Loop() {
					mask.f(0x12345678, 1, p)
				}
			})
		}
	}
}
