package linktest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/longwire/longwire"
)

// word is a short message that every way carries in its first kind.
func (s *suite) word(w string) []byte {
	if s.Kinds[0] == longwire.JSON {
		return []byte(strconv.Quote(w))
	}
	return []byte(w)
}

// unword is what word was made of.
func (s *suite) unword(p []byte) string {
	if s.Kinds[0] == longwire.JSON {
		w, _ := strconv.Unquote(string(p))
		return w
	}
	return string(p)
}

// payload makes a message of a kind and a size, the same for the same seed.
func (s *suite) payload(kind longwire.Kind, size int, seed uint64) []byte {
	const letters = "0123456789abcdefghijklmnopqrstuv"
	rnd := rand.New(rand.NewPCG(seed, uint64(size)))
	block := make([]byte, min(size, 4093)) // a prime: no two buffers begin alike
	for i := range block {
		block[i] = byte(rnd.Uint32())
		if kind != longwire.Binary {
			block[i] = letters[block[i]%32]
		} else if s.cannot(block[i]) {
			block[i] = 'x'
		}
	}
	p := make([]byte, 0, size+len(block))
	for len(p) < size {
		p = append(p, block...)
	}
	p = p[:size]
	if kind == longwire.JSON {
		for i := range p {
			p[i] = '1' + p[i]%9
		}
		if size > 1 { // not a string: some transports take it for a text
			p[0], p[size-1] = '[', ']'
		}
	}
	return p
}

func (s *suite) cannot(b byte) bool {
	return strings.IndexByte(s.Without, b) >= 0 || s.NoBoundaries && b == '\n'
}

// expect receives one message and compares it.
func (p *peer) expect(kind longwire.Kind, want []byte) error {
	k, got, err := p.receive()
	switch {
	case err != nil:
		return fmt.Errorf("receiving %d bytes: %w", len(want), err)
	case !bytes.Equal(got, want):
		return fmt.Errorf("received %d bytes %.80q, want %d bytes %.80q", len(got), got, len(want), want)
	case k != kind:
		return fmt.Errorf("received a %s message, want %s", k, kind)
	}
	return nil
}
