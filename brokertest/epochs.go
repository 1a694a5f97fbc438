package brokertest

import (
	"fmt"
	"slices"

	"github.com/longwire/longwire"
)

// reopens: after an orderly end everything is as it was: what is kept, the epoch, positions, keys, and
// numbers go on.
func (s *suite) reopens() {
	s.open(longwire.Class{Count: 3})
	a, b, c := s.trio()
	y := s.story(3)
	y.tell(a, b, a, a, a, a, b, c, a)
	key := s.publish(keyed(a, "k", "x"))
	y.ps = append(y.ps, key)
	y.gone[y.kept(0, a)[0].Number] = true
	for range 2 {
		s.reopen()
		for n := range y.end() + 1 {
			for _, names := range [][]string{{a}, {b}, {c}, {"never"}, {"r.*"}, {a, b, ">"}} {
				y.look(n, true, names...)
			}
		}
		y.lookForeign(y.at(y.end()+1, a, ">"))
		s.first(keyed(a, "k", "x"), key)
		s.refused(keyed(a, "k", "y"))
		ear := s.follow(nil)
		if f := ear.begins[key.Partition]; f.Epoch != key.Epoch || f.Last != y.end() || len(f.Earlier) > 0 {
			s.Errorf("a feed begins with %+v, want number %d of epoch %d", f, y.end(), key.Epoch)
		}
		y.tell(b, a)
		if p := y.ps[len(y.ps)-2]; p.Epoch != key.Epoch || p.Number != y.ps[len(y.ps)-3].Number+1 {
			s.Errorf("number %d of epoch %d follows number %d of %d", p.Number, p.Epoch, y.ps[len(y.ps)-3].Number, key.Epoch)
		}
		ear.hears(2)
		ear.stop()
	}
}

// killed: after another end there is a new epoch. Positions of the one before are good up to where that
// ended, and nothing that was acknowledged is lost.
func (s *suite) killed() {
	s.open(longwire.Class{Count: 3})
	a, b, c := s.trio()
	y := s.story(3)
	y.tell(a, b, a, a, a, a, b, c, a)
	key := s.publish(keyed(b, "k", "x"))
	y.ps = append(y.ps, key)
	old := key.Epoch
	s.rise()
	ear := s.follow(nil)
	f := ear.begins[key.Partition]
	if f.Epoch == old || f.Last != y.end() {
		s.Errorf("after it was killed in epoch %d a feed begins with %+v, want number %d of another", old, f, y.end())
	}
	for i, f := range ear.begins {
		want := uint64(0)
		if i == key.Partition {
			want = y.end()
		}
		if !slices.Contains(f.Earlier, longwire.EpochEnd{Epoch: old, Last: want}) {
			s.Errorf("partition %d begins with %+v, want it to tell that epoch %d ended at %d", i, f, old, want)
		}
	}
	for n := range y.end() + 1 {
		for _, names := range [][]string{{a}, {b}, {c}, {"never"}, {"r.*"}, {a, b, ">"}} {
			y.look(n, true, names...) // in the earlier epoch
			r := y.at(n, names...)
			r.Epoch = f.Epoch
			y.against(r, func(name string) verdict { return y.judge(n, true, name) }, y.kept(n, names...))
		}
	}
	s.first(keyed(b, "k", "x"), key)
	beyond := y.end() + 1
	y.lookForeign(y.at(beyond, a, ">"))
	y.tell(a, b, c)
	ear.hears(3)
	ear.stop()
	if p := y.ps[len(y.ps)-3]; p.Epoch != f.Epoch || p.Number != beyond {
		s.Errorf("number %d of epoch %d follows number %d in epoch %d", p.Number, p.Epoch, beyond-1, f.Epoch)
	}
	// That number is one of the new epoch, and never was one of the old.
	for _, n := range []uint64{beyond, beyond + 1} {
		y.lookForeign(y.at(n, a, b, "r.*"))
	}
	y.look(beyond-1, true, a, b)
}

// killedTwice: epochs are kept, and a clean end between them does not count.
func (s *suite) killedTwice() {
	s.open(longwire.Class{})
	p := s.put("a")[0]
	ends := []longwire.EpochEnd{}
	list := []*longwire.Publication{p}
	for i := range 3 {
		ends = append(ends, longwire.EpochEnd{Epoch: p.Epoch, Last: p.Number})
		s.rise()
		if i == 1 {
			s.reopen()
		}
		ear := s.follow(nil)
		f := ear.begins[p.Partition]
		ear.stop()
		for _, e := range ends {
			if e.Epoch == f.Epoch || !slices.Contains(f.Earlier, e) {
				s.Errorf("a feed begins with %+v, want it to tell the end %+v", f, e)
			}
		}
		p = s.put("a")[0]
		list = append(list, p)
		for j, from := range list {
			s.sameAll(fmt.Sprintf("after number %d of epoch %d", from.Number, from.Epoch), s.plain(after(from, "a")), list[j+1:])
		}
	}
}

// killedUnderLoad: what was acknowledged is kept, with its number; what follows has higher ones.
func (s *suite) killedUnderLoad() {
	s.open(longwire.Class{Count: 1 << 20})
	for range 2 {
		ps := s.untilRefused(func() {
			s.up = false
			s.Kill(s.T, s.b)
		})
		s.b, s.up = s.Reopen(s.T, s.b), true
		s.heard("who reads after it was killed", s.all(">"), ps)
		last := make([]uint64, s.partitions())
		for _, p := range ps {
			last[p.Partition] = max(last[p.Partition], p.Number)
		}
		for _, p := range s.put("load.0", "load.1", "load.2", "load.3") {
			if p.Number <= last[p.Partition] {
				s.Errorf("number %d of partition %d is published twice", p.Number, p.Partition)
			}
		}
	}
}
