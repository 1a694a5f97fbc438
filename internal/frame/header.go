package frame

import (
	"encoding/binary"
	"math"
)

// An Opcode says what a frame is (RFC 6455, 5.2).
type Opcode uint8

const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// IsControl reports whether frames of this kind may stand between the fragments of a message.
func (o Opcode) IsControl() bool { return o&0x8 != 0 }

func (o Opcode) known() bool { return o <= Binary || o >= Close && o <= Pong }

const (
	// MaxHeader is the longest header: two bytes, an eight-byte length and a mask key.
	MaxHeader = 14
	// MaxControl is the longest payload of a control frame (RFC 6455, 5.5).
	MaxControl = 125
)

// A Header is everything of a frame but its payload. There is no RSV2 and no RSV3, because no extension that we
// could agree to gives them a meaning.
type Header struct {
	Fin    bool
	RSV1   bool // the first frame of a message compressed by permessage-deflate (RFC 7692, 6)
	Op     Opcode
	Masked bool
	Mask   uint32 // the key, its first byte on the wire lowest
	Length int64  // of the payload, in bytes
}

const (
	finBit  = 0x80
	rsv1Bit = 0x40
	rsv23   = 0x30
	maskBit = 0x80
)

// ParseHeader reads the header at the start of p, which has n bytes. When n is 0 and err nil, p holds only a part
// of it. An error (an [*Error]) is reported as soon as the bytes at hand show it and does not depend on how the
// stream was cut. Which side must mask, and whether RSV1 was agreed, is for the caller to judge.
func ParseHeader(p []byte) (h Header, n int, err error) {
	if len(p) == 0 {
		return Header{}, 0, nil
	}
	h.Fin = p[0]&finBit != 0
	h.RSV1 = p[0]&rsv1Bit != 0
	h.Op = Opcode(p[0] & 0x0F)
	switch {
	case p[0]&rsv23 != 0:
		return Header{}, 0, errReserved
	case !h.Op.known():
		return Header{}, 0, errOpcode
	case h.Op.IsControl() && !h.Fin:
		return Header{}, 0, errControlFragment
	case len(p) == 1:
		return Header{}, 0, nil
	}
	h.Masked = p[1]&maskBit != 0
	short := p[1] &^ maskBit
	if h.Op.IsControl() && short > MaxControl {
		return Header{}, 0, errControlLong
	}
	h.Length, n, err = parseLength(short, p[2:])
	if n == 0 {
		return Header{}, 0, err
	}
	if !h.Masked {
		return h, n, nil
	}
	if len(p) < n+4 {
		return Header{}, 0, nil
	}
	h.Mask = binary.LittleEndian.Uint32(p[n:])
	return h, n + 4, nil
}

// parseLength gives the length of the payload and the size of the header without its mask key. Only the shortest
// form is accepted, and nothing from 2^63 on: other decoders went wrong there by overflow (CVE-2020-27813).
func parseLength(short byte, p []byte) (length int64, n int, err error) {
	switch {
	case short < 126:
		return int64(short), 2, nil
	case short == 126:
		if len(p) < 2 {
			return 0, 0, nil
		}
		v := binary.BigEndian.Uint16(p)
		if v < 126 {
			return 0, 0, errLengthForm
		}
		return int64(v), 4, nil
	default:
		if len(p) < 8 {
			return 0, 0, nil
		}
		v := binary.BigEndian.Uint64(p)
		if v > math.MaxInt64 {
			return 0, 0, errLengthHuge
		}
		if v <= math.MaxUint16 {
			return 0, 0, errLengthForm
		}
		return int64(v), 10, nil
	}
}

// AppendHeader appends h as it is told, with the length in its shortest form. It checks nothing: a test or a load
// generator may want what a peer must refuse.
func AppendHeader(dst []byte, h Header) []byte {
	first := byte(h.Op)
	if h.Fin {
		first |= finBit
	}
	if h.RSV1 {
		first |= rsv1Bit
	}
	var second byte
	if h.Masked {
		second = maskBit
	}
	switch {
	case h.Length < 126:
		dst = append(dst, first, second|byte(h.Length))
	case h.Length <= math.MaxUint16:
		dst = append(dst, first, second|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(h.Length))
	default:
		dst = append(dst, first, second|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(h.Length))
	}
	if h.Masked {
		dst = binary.LittleEndian.AppendUint32(dst, h.Mask)
	}
	return dst
}

// AppendMessage appends payload as one whole unmasked frame, the way a server sends.
func AppendMessage(dst []byte, op Opcode, payload []byte) []byte {
	dst = AppendHeader(dst, Header{Fin: true, Op: op, Length: int64(len(payload))})
	return append(dst, payload...)
}

// AppendFragments appends payload as unmasked frames of at most size bytes of payload each: a message in fragments
// (RFC 6455, section 5.4), or one frame if it fits.
func AppendFragments(dst []byte, op Opcode, payload []byte, size int) []byte {
	for len(payload) > size {
		dst = append(AppendHeader(dst, Header{Op: op, Length: int64(size)}), payload[:size]...)
		payload, op = payload[size:], Continuation
	}
	return AppendMessage(dst, op, payload)
}

// AppendMasked appends payload as one whole masked frame, the way a client sends; payload itself is left alone.
// The key must be unpredictable wherever the payload is not one's own (RFC 6455, 10.3).
func AppendMasked(dst []byte, op Opcode, key uint32, payload []byte) []byte {
	dst = AppendHeader(dst, Header{Fin: true, Op: op, Masked: true, Mask: key, Length: int64(len(payload))})
	start := len(dst)
	dst = append(dst, payload...)
	Mask(key, 0, dst[start:])
	return dst
}
