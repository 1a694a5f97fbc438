package loop

import (
	"bytes"
	"testing"
)

// FuzzQueue compares a queue with a plain slice of bytes. Each byte of script
// is an operation and its size.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add(bytes.Repeat([]byte{0x41, 0x82, 0xfb, 0x43}, 40))
	f.Add(bytes.Repeat([]byte{0x45, 0x0b}, 300))
	f.Fuzz(func(t *testing.T, script []byte) {
		// Two queues share a pool, so that bytes in memory that was given back
		// too early are seen to change.
		var pool bufPool
		queues := [2]*queue{pool.queue(), pool.queue()}
		var wants [2][]byte
		next := byte(0)
		some := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				next++
				b[i] = next
			}
			return b
		}
		s := &Sock{loop: &Loop{}}
		for i, op := range script {
			q, want := queues[i&1], wants[i&1]
			n := int(op>>2) * int(op>>2) * 5 // up to 19,845
			if op&3 != 3 && len(want)+n > 128<<10 {
				continue // more only takes longer
			}
			switch op & 3 {
			case 0:
				b := some(n)
				q.copyIn(&pool, b)
				want = append(want, b...)
				clear(b) // the caller may use it again
			case 1:
				b := some(n)
				q.lend(&pool, b)
				want = append(want, b...)
			case 2:
				b := some(n)
				seg := q.tail(&pool, n)
				seg.b = append(seg.b, b...)
				q.n += n
				want = append(want, b...)
			case 3:
				n = min(n, q.n)
				if n == 0 {
					continue
				}
				if got := s.joined(q, n); !bytes.Equal(got, want[:len(got)]) || len(got) > n || len(got) == 0 {
					t.Fatalf("joined %d bytes are not the next ones", len(got))
				}
				q.wrote(&pool, n)
				want = want[n:]
			}
			wants[i&1] = want
			for i, q := range queues {
				check(t, q, wants[i])
			}
			if q.n == 0 && op&4 != 0 {
				pool.freeQueue(q)
				queues[i&1] = pool.queue()
			}
		}
	})
}

func check(t *testing.T, q *queue, want []byte) {
	n := 0
	for _, s := range q.segs[q.head:] {
		if n+len(s.b) > len(want) || !bytes.Equal(s.b, want[n:n+len(s.b)]) {
			t.Fatalf("the queue does not hold what was put")
		}
		n += len(s.b)
	}
	if q.n != n || n != len(want) {
		t.Fatalf("the queue holds %d bytes and says %d, want %d", n, q.n, len(want))
	}
	if q.head > len(q.segs)-q.head {
		t.Fatalf("%d of %d segments are kept though written", q.head, len(q.segs))
	}
}
