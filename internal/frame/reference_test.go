package frame

import (
	"fmt"
	"math"
	"math/big"
	"unicode/utf8"
)

// reference decodes a stream in the slow and obvious way: it sees all of it at once, keeps every byte of the message
// apart, and looks at everything again each time.
func reference(stream []byte, cfg *Config) (out []string) {
	limit := cfg.MaxMessage
	if limit == 0 {
		limit = 1 << 20
	}
	if limit < 0 {
		limit = math.MaxInt / 2
	}
	var kind byte // of the message under way, 0 for none
	var compressed bool
	var message []byte
	frames := 0
	for len(stream) > 0 {
		b0 := stream[0]
		fin, rsv1, op := b0>>7 == 1, b0>>6&1 == 1, b0&15
		control := op == 8 || op == 9 || op == 10
		if b0&0x30 != 0 || op > 10 || op > 2 && op < 8 || control && !fin {
			return append(out, "fail 1002")
		}
		if len(stream) < 2 {
			return out
		}
		masked, code := stream[1] >= 128, stream[1]%128
		if control && code > 125 {
			return append(out, "fail 1002")
		}
		size := map[byte]int{126: 2, 127: 8}[code]
		at := 2 + size
		if len(stream) < at {
			return out
		}
		length := big.NewInt(int64(code))
		if size > 0 {
			length.SetBytes(stream[2:at])
			least := map[int]int64{2: 126, 8: 65536}[size]
			if length.Cmp(big.NewInt(least)) < 0 || length.BitLen() > 63 {
				return append(out, "fail 1002")
			}
		}
		var key [4]byte
		if masked {
			if at += 4; len(stream) < at {
				return out
			}
			copy(key[:], stream[at-4:at])
		}
		if masked != cfg.Server || rsv1 && (!cfg.AllowRSV1 || op != 1 && op != 2) {
			return append(out, "fail 1002")
		}
		if !control {
			if (op == 0) != (kind != 0) {
				return append(out, "fail 1002")
			}
			if op != 0 {
				kind, compressed, message, frames = op, rsv1, nil, 0
			}
			frames++
			total := new(big.Int).Add(length, big.NewInt(int64(len(message))))
			if total.Cmp(big.NewInt(int64(limit))) > 0 {
				return append(out, "fail 1009")
			}
			if total.Int64()+int64(frames)*16 > int64(limit+limit/4+1024) {
				return append(out, "fail 4004")
			}
		}
		complete := length.Cmp(big.NewInt(int64(len(stream)-at))) <= 0
		end := len(stream)
		if complete {
			end = at + int(length.Int64())
		}
		var payload []byte
		for i, c := range stream[at:end] {
			payload = append(payload, c^key[i%4])
		}
		stream = stream[end:]
		if control {
			if !complete {
				return out
			}
			if op == 8 {
				return append(out, referenceClose(payload))
			}
			out = append(out, transcribe(Opcode(op), false, 0, payload))
			continue
		}
		message = append(message, payload...)
		final := fin && complete
		if kind == 1 && !compressed && !utf8.Valid(message) && (final || !canContinue(message)) {
			return append(out, "fail 1007")
		}
		if final {
			out = append(out, transcribe(Opcode(kind), compressed, 0, message))
			kind = 0
		}
	}
	return out
}

func referenceClose(payload []byte) string {
	if len(payload) == 0 {
		return `close 1005 ""`
	}
	if len(payload) == 1 {
		return "fail 1002"
	}
	code := int(payload[0])*256 + int(payload[1])
	if code < 1000 || code >= 1004 && code <= 1006 || code > 1014 && code < 3000 || code >= 5000 {
		return "fail 1002"
	}
	if !utf8.Valid(payload[2:]) {
		return "fail 1007"
	}
	return fmt.Sprintf("close %d %q", code, payload[2:])
}

// canContinue tries the endings that would make b whole. Every unfinished sequence takes one of them.
func canContinue(b []byte) bool {
	for _, end := range []string{
		"", "\x80", "\x80\x80", "\x80\x80\x80", // after most bytes
		"\xA0\x80",     // after E0
		"\x90\x80\x80", // after F0
	} {
		if utf8.ValidString(string(b) + end) {
			return true
		}
	}
	return false
}
