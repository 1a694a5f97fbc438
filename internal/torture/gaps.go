package torture

// mayLack reports whether at an event something may not be kept any more that follows what a lane had: of one of its channels
// one more has to follow than is kept.
func (l *lane) mayLack(i int) bool {
	for channel := range l.c.kept {
		if s := l.stream(channel); matches(l.name, channel) && l.c.dropped(channel, s.last+1, i) {
			return true
		}
	}
	return false
}

// behind returns how many publications of a channel that are kept behind a place may have been published before an event.
func (c *check) behind(channel string, place, event int) (n int) {
	ids := c.kept[channel]
	for _, id := range ids[min(place+1, len(ids)):] {
		if p := c.pubs[id]; p != nil && p.begun <= event {
			n++
		}
	}
	return n
}

// dropped reports whether the publication at a place may have been dropped before an event.
func (c *check) dropped(channel string, place, event int) bool {
	keeps := c.keeps(channel)
	return keeps > 0 && c.behind(channel, place, event) >= keeps
}
