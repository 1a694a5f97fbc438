package jetstream

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/minio/highwayhash"
)

// A block is a file of the server's (msgs/N.blk): one entry after the other, all numbers little-endian.
//
//	4 bytes  length of the entry; its highest bit says that there are headers
//	8 bytes  number; with bit 63 an entry of one that is not there any more, with bit 62 word that an earlier one was deleted
//	8 bytes  when the stream took it, nanoseconds since 1970
//	2 bytes  length of the subject
//	         subject, headers (4 bytes of length before them), data
//	8 bytes  checksum of all that but the lengths, by a key made of the names of stream and block
//
// So a subject may be longer or shorter than it was; that is seen by how our publications begin (codec.go).
//
// That is what filestore.go of nats-server writes unless it is told to compress or to encrypt, which it is not here.
const (
	entryHead = 22
	entrySum  = 8

	entryHeaders = 1 << 31
	entryErased  = 1 << 63
	entryDeletes = 1 << 62
)

// A blockScan is what was found in a block.
type blockScan struct {
	number      int
	size        int
	first, last uint64 // numbers of its publications, whether they are still there or not; zero without any
	whole       []span // entries that are whole, the rest is damaged
	holes       []hole // between them
}

// A span is a part of a file.
type span struct{ from, to int }

// A hole is a damaged part of a block: what it had came behind one number and before another.
type hole struct {
	after, before uint64 // before is zero if no number follows in the block
	tail          bool   // nothing at all follows that is whole
}

// scanBlock finds out what is whole in a block of a stream. Behind damage it looks for the next entry that is:
// first where the damaged one would end, then at each byte.
func scanBlock(stream string, number int, b []byte) blockScan {
	sum := newBlockSum(stream, number)
	s := blockScan{number: number, size: len(b)}
	begin := 0
	for at := 0; at < len(b); {
		if size := entrySize(b[at:], sum); size > 0 {
			s.take(binary.LittleEndian.Uint64(b[at+4:]))
			at += size
			continue
		}
		s.keep(begin, at)
		at = nextEntry(b, at, sum)
		s.holes = append(s.holes, hole{after: s.last, tail: at == len(b)})
		begin = at
	}
	s.keep(begin, len(b))
	return s
}

func (s *blockScan) keep(from, to int) {
	if from < to {
		s.whole = append(s.whole, span{from, to})
	}
}

// take notes the number of an entry. Word of a deletion has the number of another.
func (s *blockScan) take(n uint64) {
	if n&entryDeletes != 0 {
		return
	}
	n &^= entryErased
	if s.first == 0 {
		s.first = n
	}
	s.last = max(s.last, n)
	if k := len(s.holes); k > 0 && s.holes[k-1].before == 0 {
		s.holes[k-1].before = n
	}
}

// A blockSum makes the checksums of a block.
type blockSum struct {
	key     [sha256.Size]byte
	scratch []byte
}

func newBlockSum(stream string, number int) *blockSum {
	return &blockSum{key: sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, number))}
}

// of returns the checksum of an entry.
func (s *blockSum) of(b []byte, subject, body, end int) uint64 {
	s.scratch = append(s.scratch[:0], b[4:20]...)
	s.scratch = append(s.scratch, b[entryHead:entryHead+subject]...)
	s.scratch = append(s.scratch, b[body:end]...)
	return highwayhash.Sum64(s.scratch, s.key[:])
}

// entrySize returns the size of the entry that b begins with, zero if it is damaged.
func entrySize(b []byte, sum *blockSum) int {
	size, subject, body := entryLengths(b)
	if size == 0 {
		return 0
	}
	if sum.of(b, subject, body, size-entrySum) != binary.LittleEndian.Uint64(b[size-entrySum:]) || !ours(b, subject, body, size-entrySum) {
		return 0
	}
	return size
}

// entryLengths returns the sizes of an entry and of its subject, and where its body begins; zero if they cannot be.
func entryLengths(b []byte) (size, subject, body int) {
	if len(b) < entryHead+entrySum {
		return 0, 0, 0
	}
	length := binary.LittleEndian.Uint32(b)
	size, subject = int(length&^entryHeaders), int(binary.LittleEndian.Uint16(b[20:]))
	body = entryHead + subject
	if length&entryHeaders != 0 {
		body += 4
	}
	if size > len(b) || body+entrySum > size {
		return 0, 0, 0
	}
	return size, subject, body
}

// ours reports whether an entry has the subject of a channel, and then what a publication begins with.
func ours(b []byte, subject, body, end int) bool {
	if binary.LittleEndian.Uint64(b[4:])&(entryErased|entryDeletes) != 0 {
		return true
	}
	if binary.LittleEndian.Uint32(b)&entryHeaders != 0 {
		headers := binary.LittleEndian.Uint32(b[body-4:])
		if uint64(headers) > uint64(end-body) || !bytes.HasSuffix(b[body:body+int(headers)], []byte("\r\n\r\n")) {
			return false
		}
		body += int(headers)
	}
	return body < end && b[body] == codecVersion && bytes.IndexByte(b[entryHead:entryHead+subject], codecVersion) < 0
}

// nextEntry returns where the next entry behind a damaged one begins that is whole, the end if there is none.
func nextEntry(b []byte, at int, sum *blockSum) int {
	if size, _, _ := entryLengths(b[at:]); size > 0 && entrySize(b[at+size:], sum) > 0 {
		return at + size
	}
	for at++; at < len(b); at++ {
		if entrySize(b[at:], sum) > 0 {
			return at
		}
	}
	return len(b)
}

// appendGone appends the entry of a number that is not there any more, so that the stream goes on behind it.
func appendGone(b []byte, stream string, block int, number uint64, at time.Time) []byte {
	begin := len(b)
	b = binary.LittleEndian.AppendUint32(b, entryHead+entrySum)
	b = binary.LittleEndian.AppendUint64(b, number|entryErased)
	b = binary.LittleEndian.AppendUint64(b, uint64(at.UnixNano()))
	b = binary.LittleEndian.AppendUint16(b, 0)
	return binary.LittleEndian.AppendUint64(b, newBlockSum(stream, block).of(b[begin:], 0, entryHead, entryHead))
}
