package jetstream

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/longwire/longwire"
)

// A publication is kept as one message: a head that says what it is, then its data.
//
//	byte     version, 1
//	byte     kind (bits 0 and 1), and which of the following there are (bits 2 to 5)
//	8 bytes  time, nanoseconds since 1970, big-endian
//	strings  content type, from, key; each its length as a varint before it
//	headers  their number as a varint, then name and value of each
//
// Headers of NATS would say the same, in twice the bytes and for more work.
const (
	codecVersion = 1
	hasType      = 1 << 2
	hasFrom      = 1 << 3
	hasKey       = 1 << 4
	hasHeaders   = 1 << 5

	// maxHead bounds a head: 4 KiB of headers, 128 bytes of key, and the like.
	maxHead = 6 << 10
)

var errCodec = errors.New("jetstream: a message in the stream is no publication of longwire")

// appendPublication appends what is kept of p.
func appendPublication(dst []byte, p *longwire.Publication) []byte {
	has := byte(p.Kind)
	for _, f := range []struct {
		bit byte
		is  bool
	}{{hasType, p.ContentType != ""}, {hasFrom, p.From != ""}, {hasKey, p.Key != ""}, {hasHeaders, len(p.Headers) > 0}} {
		if f.is {
			has |= f.bit
		}
	}
	dst = append(dst, codecVersion, has)
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.Time.UnixNano()))
	for _, s := range []string{p.ContentType, p.From, p.Key} {
		if s != "" {
			dst = appendString(dst, s)
		}
	}
	if len(p.Headers) > 0 {
		dst = binary.AppendUvarint(dst, uint64(len(p.Headers)))
		for _, name := range slices.Sorted(maps.Keys(p.Headers)) {
			dst = appendString(appendString(dst, name), p.Headers[name])
		}
	}
	return append(dst, p.Data...)
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// parsePublication reads what is kept of a publication into p. Its data is a part of b.
func parsePublication(p *longwire.Publication, b []byte) error {
	if len(b) < 10 || b[0] != codecVersion {
		return errCodec
	}
	has := b[1]
	p.Kind = longwire.Kind(has & 3)
	p.Time = time.Unix(0, int64(binary.BigEndian.Uint64(b[2:])))
	b = b[10:]
	ok := true
	for _, f := range []struct {
		bit byte
		to  *string
	}{{hasType, &p.ContentType}, {hasFrom, &p.From}, {hasKey, &p.Key}} {
		if has&f.bit != 0 {
			*f.to, b, ok = cutString(b, ok)
		}
	}
	if has&hasHeaders != 0 && ok {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)) {
			return errCodec
		}
		b = b[size:]
		p.Headers = make(map[string]string, n)
		for range n {
			var name, value string
			name, b, ok = cutString(b, ok)
			value, b, ok = cutString(b, ok)
			p.Headers[name] = value
		}
	}
	if !ok {
		return errCodec
	}
	p.Data = b[:len(b):len(b)]
	return nil
}

func cutString(b []byte, ok bool) (string, []byte, bool) {
	n, size := binary.Uvarint(b)
	if !ok || size <= 0 || n > uint64(len(b)-size) {
		return "", nil, false
	}
	b = b[size:]
	return string(b[:n]), b[n:], true
}
