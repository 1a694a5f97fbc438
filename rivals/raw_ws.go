//go:build linux

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
)

// A rawConn is a WebSocket of the raw server: it believes whatever the harness's client says.
type rawConn struct {
	open bool
	part []byte // the beginning of a request or frame that has not come whole
}

// received answers p and keeps what is left over. False: the peer wants to close.
func (c *rawConn) received(l *rawLoop, fd int, p []byte) bool {
	if len(c.part) > 0 {
		p = append(c.part, p...)
		c.part = nil
	}
	if !c.open {
		end := bytes.Index(p, []byte("\r\n\r\n"))
		if end < 0 {
			c.part = bytes.Clone(p)
			return true
		}
		rawWriteAll(fd, switching(p[:end]))
		c.open = true
		l.everyone.join(fd, fd)
		p = p[end+4:]
	}
	rest, echo, ok := unmaskInPlace(p)
	if len(echo) > 0 {
		rawWriteAll(fd, echo)
	}
	if len(rest) > 0 {
		c.part = bytes.Clone(rest)
	}
	return ok
}

// unmaskInPlace turns the whole frames at the front of p into the frames of their echo, one after another, in p's own
// memory: an unmasked header is four bytes shorter. Pings become pongs, pongs vanish; a close makes ok false.
func unmaskInPlace(p []byte) (rest, echo []byte, ok bool) {
	out := p[:0]
	for {
		n, head := frameSize(p)
		if head == 0 || len(p) < head+n {
			return p, out, true
		}
		first, key, body := p[0], [4]byte(p[head-4:head]), p[head:head+n]
		if first == finClose {
			return nil, out, false
		}
		if first == finPing {
			first = finPong
		}
		if p[0] != finPong {
			out = appendHeader(out, first, n, 0)
			out = out[:len(out)+n]
			xorInto(out[len(out)-n:], body, key)
		}
		p = p[head+n:]
	}
}

// frameSize is the length of the payload and of the header before it; head is 0 while the header is not whole.
func frameSize(p []byte) (n, head int) {
	if len(p) < 2 {
		return 0, 0
	}
	n, head = int(p[1]&^maskBit), 6
	switch {
	case n == 126 && len(p) >= 4:
		n, head = int(binary.BigEndian.Uint16(p[2:])), 8
	case n == 127 && len(p) >= 10:
		n, head = int(binary.BigEndian.Uint64(p[2:])), 14
	case n >= 126:
		return 0, 0
	}
	if len(p) < head {
		return 0, 0
	}
	return n, head
}

// xorInto unmasks src into dst, which lies before src in the same memory or is it.
func xorInto(dst, src []byte, key [4]byte) {
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
		dst, src = dst[8:], src[8:]
	}
	for i := range src {
		dst[i] = src[i] ^ key[i%4]
	}
}

func switching(request []byte) []byte {
	const header = "Sec-WebSocket-Key: "
	_, key, _ := bytes.Cut(request, []byte(header))
	key, _, _ = bytes.Cut(key, []byte("\r\n"))
	sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	return append(base64.StdEncoding.AppendEncode(
		[]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "),
		sum[:]), "\r\n\r\n"...)
}
