package brokertest

import (
	"fmt"

	"github.com/longwire/longwire"
)

// manyChannels: there are as many as there are names.
func (s *suite) manyChannels() {
	s.open(longwire.Class{Count: 2})
	const n = 10_000
	ear := s.follow(nil)
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("user.%d.inbox", i)
	}
	ps := s.put(names...)
	s.heard("a follower", ear.hears(n), ps)
	ear.stop()
	seen := map[string]bool{}
	for _, p := range s.all("user.*.inbox") {
		seen[p.Channel] = true
	}
	if len(seen) != n {
		s.Errorf("%d channels are read, want %d", len(seen), n)
	}
	for i := 0; i < n; i += n / 50 {
		p := ps[i]
		s.sameAll(p.Channel, s.plain(longwire.Range{Partition: p.Partition, Channels: []string{p.Channel}}), ps[i:i+1])
		s.sameAll(p.Channel+", afterwards", s.plain(after(p, p.Channel)), nil)
	}
	// Many names at once, of which some share a partition.
	for i := range s.partitions() {
		var some []string
		var want []*longwire.Publication
		for j := 0; j < n; j += 50 {
			some = append(some, names[j])
			if ps[j].Partition == i {
				want = append(want, ps[j])
			}
		}
		r := longwire.Range{Partition: i, Channels: some}
		s.sameAll(fmt.Sprintf("%d channels", len(some)), s.plain(r), want)
		r.Last = 1
		s.sameAll(fmt.Sprintf("the last of %d channels", len(some)), s.plain(r), want)
	}
}

// noHistory: a channel without history is told of and not read. Others beside it are.
func (s *suite) noHistory() {
	s.openAs(Options{Classes: []longwire.Class{
		{Name: "live", Patterns: []string{"live.>", "*.live"}, Count: -1, Behind: longwire.KeepLatest},
		{Name: "default"},
	}})
	if k, ok := s.b.(interface {
		Behind(channel string) longwire.Policy
	}); ok {
		for c, want := range map[string]longwire.Policy{"live.a": longwire.KeepLatest, "x.live": longwire.KeepLatest, "x": longwire.DropOldest} {
			if got := k.Behind(c); got != want {
				s.Errorf("Behind says %v of %s", got, c)
			}
		}
	}
	if k, ok := s.b.(interface{ Keeps(channel string) bool }); ok {
		for c, want := range map[string]bool{"live.a": false, "live.a.b": false, "live.*": false, ">": false, "*.x": false, "x.*.y": true, "x.live": false, "live": true, "x": true, "x.live.y": true} {
			if k.Keeps(c) != want {
				s.Errorf("Keeps says %t of %s", !want, c)
			}
		}
	}
	ear := s.follow(nil)
	const n = 100
	names := []string{"live.a", "x", "live.b", "live.a", "some.live", "x"}
	var asked []string
	for i := range n {
		asked = append(asked, names[i%len(names)])
	}
	ps := s.put(asked...)
	told := map[string][]string{}
	for _, p := range ear.hears(n) {
		told[p.Channel] = append(told[p.Channel], string(p.Data))
	}
	ear.stop()
	want := map[string][]string{}
	for i, p := range ps {
		want[asked[i]] = append(want[asked[i]], string(p.Data))
	}
	if got, want := fmt.Sprint(told), fmt.Sprint(want); got != want {
		s.Errorf("followers heard %s, want %s", got, want)
	}
	s.sameAll("what has history", s.all(">"), pick(ps, 0, "x"))
	for _, name := range []string{"live.a", "live.>", "*.live"} {
		for i := range s.partitions() {
			s.sameAll(name, s.read(longwire.Range{Partition: i, Channels: []string{name}, Last: 1}).ps, nil)
		}
	}
}
