package frame

import "sync"

const (
	// fragmentCost is what each frame of a message counts beside its payload. Frames hold no memory here, but each
	// costs work and lets the message stay open, and elsewhere 131,072 of one byte pinned 13.5 MB (CVE-2026-48779).
	// It is about the largest header.
	fragmentCost = 16
	// fragmentSlack lets small limits still take a message in a few dozen fragments.
	fragmentSlack = 1 << 10
	// maxKept bounds the buffers that go back to the pool: a connection that is slow to end its small message must
	// not sit on a buffer that a large one left behind.
	maxKept = 16 << 10
)

// fragmentAllowance is what payload and fragmentCost of a message may come to together. A quarter more than the
// payload alone means that the largest message may still come in fragments of 64 bytes.
func fragmentAllowance(maxMessage int) int { return maxMessage + maxMessage/4 + fragmentSlack }

// A partial is a message that did not come in one piece: what a Reader holds only then.
type partial struct {
	buf        []byte
	left       int // payload bytes of the current frame still to come
	limit      int // no more room than this is of use
	frames     int
	mask       uint32
	pos        uint8 // place in mask
	op         Opcode
	compressed bool
	inFrame    bool
	fin        bool // the current frame is the last
	delivered  bool
	text       UTF8
}

var partials = sync.Pool{New: func() any { return new(partial) }}

func newPartial(h Header) *partial {
	m := partials.Get().(*partial)
	m.op, m.compressed = h.Op, h.RSV1
	return m
}

func (m *partial) recycle() {
	buf := m.buf[:0]
	if cap(buf) > maxKept {
		buf = nil
	}
	*m = partial{buf: buf}
	partials.Put(m)
}

// enter begins a frame. Its declared length is held against the limits now and takes memory only as bytes come.
func (m *partial) enter(h Header, maxMessage int) error {
	m.frames++
	if h.Length > int64(maxMessage-len(m.buf)) {
		return errTooBig
	}
	if len(m.buf)+int(h.Length)+m.frames*fragmentCost > fragmentAllowance(maxMessage) {
		return errFragments
	}
	m.left, m.mask, m.pos, m.fin, m.inFrame = int(h.Length), h.Mask, 0, h.Fin, true
	m.limit = maxMessage
	if h.Fin {
		m.limit = len(m.buf) + m.left
	}
	return nil
}

// absorb takes what p has of the current frame. whole reports that it completes the message.
func (m *partial) absorb(p []byte) (n int, whole bool, err error) {
	n = min(len(p), m.left)
	start := len(m.buf)
	m.grow(n)
	m.buf = append(m.buf, p[:n]...)
	m.pos = uint8(Mask(m.mask, int(m.pos), m.buf[start:]))
	m.left -= n
	m.inFrame = m.left > 0
	whole = m.fin && !m.inFrame
	if m.op == Text && !m.compressed {
		if !m.text.Write(m.buf[start:]) || whole && !m.text.Done() {
			return n, false, errText
		}
	}
	return n, whole, nil
}

// grow makes room for n bytes more, at least doubling what there is, so that copying stays linear, but not past the
// end of the message where that is known.
func (m *partial) grow(n int) {
	need := len(m.buf) + n
	if need <= cap(m.buf) {
		return
	}
	room := max(need, min(2*cap(m.buf), m.limit))
	m.buf = append(make([]byte, 0, room), m.buf...)
}

func (m *partial) deliver() Event {
	m.delivered = true
	return Event{Op: m.op, Compressed: m.compressed, Data: m.buf[:len(m.buf):len(m.buf)]}
}
