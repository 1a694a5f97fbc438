package loop

import "iter"

// A table holds the sockets of a loop. An event carries a place in the table
// and the generation of its user, never a descriptor: the kernel reuses
// numbers while a batch of events is still being walked.
type table struct {
	rows   []row
	free   []uint32
	live   int
	closed bool // no more may enter
}

type row struct {
	sock *Sock
	gen  uint32
}

func (t *table) add(s *Sock) {
	t.live++
	if n := len(t.free); n > 0 {
		s.slot = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		s.slot = uint32(len(t.rows))
		t.rows = append(t.rows, row{})
	}
	r := &t.rows[s.slot]
	r.gen++
	r.sock, s.gen = s, r.gen
}

func (t *table) remove(s *Sock) {
	t.live--
	t.rows[s.slot].sock = nil
	t.free = append(t.free, s.slot)
}

// get returns the socket of an event, or nil if it is gone.
func (t *table) get(slot, gen uint32) *Sock {
	if int(slot) < len(t.rows) && t.rows[slot].gen == gen {
		return t.rows[slot].sock
	}
	return nil
}

func (t *table) all() iter.Seq[*Sock] {
	return func(yield func(*Sock) bool) {
		for i := range t.rows {
			if s := t.rows[i].sock; s != nil && !yield(s) {
				return
			}
		}
	}
}
