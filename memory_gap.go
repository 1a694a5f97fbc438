package longwire

import "github.com/longwire/longwire/wire"

// Gaps: a position is within history if nothing of the channel, or of a channel that
// matches the pattern, was lost after it. That is so for as long as the publication
// at the position is kept, and while it is younger than Age and at most Count of the
// channel follow it, if bytes allow.
//
// What a named channel lost is known by number. For a pattern the losses since the
// position was passed are walked: some tens of nanoseconds for each channel that lost
// something since then, with the lock held.

// knowLosses takes all that is lost for known: a read that does not begin at a
// position begins without a gap.
func (rd *memRead) knowLosses(l *memLog) {
	for i := range rd.names {
		rd.names[i].lost = l.lostOf(rd.names[i].name)
	}
	rd.seq, rd.forgot = l.lost.seq, l.forgot
}

// foreign tells all of a gap, for a position that never was. The read begins with the
// oldest.
func (rd *memRead) foreign(l *memLog) {
	for i := range rd.names {
		rd.tell(&rd.names[i], l.lostOf(rd.names[i].name), 0)
	}
	for i := range rd.patterns {
		rd.tell(&rd.patterns[i], 0, 0)
	}
}

// tellLosses tells what is lost beyond the cursor and not yet known.
func (rd *memRead) tellLosses(l *memLog) {
	if rd.seq == l.lost.seq && rd.forgot == l.forgot {
		return
	}
	for i := range rd.names {
		n := &rd.names[i]
		lost := l.lostOf(n.name)
		if lost > max(n.lost, n.after, rd.cursor) {
			rd.tell(n, lost, 0)
		}
		n.lost = max(n.lost, lost)
	}
	if len(rd.patterns) > 0 {
		rd.tellPatterns(l)
	}
	rd.seq, rd.forgot = l.lost.seq, l.forgot
}

func (rd *memRead) tellPatterns(l *memLog) {
	if l.forgot > max(rd.forgot, rd.cursor) {
		for i := range rd.patterns {
			rd.tell(&rd.patterns[i], l.forgot, 0)
		}
	}
	for ch := l.lost.last; ch != nil && ch.seq > rd.seq; ch = ch.prev {
		if ch.lost <= rd.cursor {
			continue
		}
		for i := range rd.patterns {
			if p := &rd.patterns[i]; wire.Matches(p.name, ch.name) {
				rd.tell(p, ch.lost, ch.seq)
			}
		}
	}
}

// tell tells a gap, for a loss that was the seq-th of a channel by its count.
func (rd *memRead) tell(w *memWant, lost, seq uint64) {
	if w.gap == nil {
		w.gap = &GapError{Channel: w.name}
		rd.gaps = append(rd.gaps, w.gap)
	}
	w.gap.After = max(w.gap.After, lost)
	w.gap.Lost = w.gap.After
	w.seq = max(w.seq, seq)
}

// noGaps begins a page.
func (rd *memRead) noGaps() {
	if len(rd.gaps) == 0 {
		return
	}
	rd.gaps = nil
	for i := range rd.names {
		rd.names[i].gap = nil
	}
	for i := range rd.patterns {
		rd.patterns[i].gap = nil
	}
}

// placeGaps puts the gaps of patterns before the first publication that follows:
// one channel may have lost what is newer than all that another keeps.
func (rd *memRead) placeGaps() {
	for i := range rd.patterns {
		p := &rd.patterns[i]
		if p.gap == nil {
			continue
		}
		before := rd.cursor
		for _, o := range rd.out {
			if wire.Matches(p.name, o.Channel) {
				before = o.Number - 1
				break
			}
		}
		p.gap.After, p.gap.Losses = min(p.gap.After, before), p.seq+rd.forgot
	}
}
