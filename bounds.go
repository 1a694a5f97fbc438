package longwire

// bounds are what turns and memory are kept small by. Tests make them smaller, to
// come by what is rare.
type bounds struct {
	turn      int // subscribers that are handed something before others have their turn
	inbox     int // bytes of publications that wait for a hub
	recent    int // events in the recent window
	window    int // events of it that are looked at in one go
	page      int // publications of one read
	together  int // inquiries that are answered together
	scattered int // publications that last:N brings a session of patterns, over all of them and their channels
}

// fill sets those that are not set.
func (b *bounds) fill() {
	for _, f := range []struct {
		bound *int
		usual int
	}{
		{&b.turn, 256}, {&b.inbox, 8 << 20}, {&b.recent, 1 << 16}, {&b.window, 256}, {&b.page, 256}, {&b.together, 64}, {&b.scattered, 10_000},
	} {
		if *f.bound == 0 {
			*f.bound = f.usual
		}
	}
}
