//go:build linux

package main

import "encoding/binary"

// The opcodes of RFC 6455, section 5.2, with FIN set, as the first byte of a frame.
const (
	finText   = 0x81
	finBinary = 0x82
	finClose  = 0x88
	finPing   = 0x89
	finPong   = 0x8a
	maskBit   = 0x80
)

// upgradeTo asks for a WebSocket the way a browser does (RFC 6455, section 4.1), without an Origin.
func upgradeTo(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

const streamRequest = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"

var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// payload is n letters, so that it is good as text too.
func payload(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = 'a' + byte(i%26)
	}
	return p
}

// appendHeader appends a frame header of the shortest form for n bytes of payload.
func appendHeader(b []byte, first byte, n int, mask byte) []byte {
	switch {
	case n < 126:
		return append(b, first, mask|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, first, mask|126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, first, mask|127), uint64(n))
}

// serverFrame is a whole unmasked frame.
func serverFrame(first byte, p []byte) []byte {
	return append(appendHeader(nil, first, len(p), 0), p...)
}

// appendClientFrame appends a whole masked frame.
func appendClientFrame(b []byte, first byte, p []byte) []byte {
	b = append(appendHeader(b, first, len(p), maskBit), maskKey[:]...)
	for i, c := range p {
		b = append(b, c^maskKey[i%4])
	}
	return b
}
