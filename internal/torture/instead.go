package torture

import "maps"

// standIns returns, by the event behind which it begins, whoever goes on in another's place.
func (c *check) standIns() map[int][]*Event {
	by := map[int][]*Event{}
	for i := range c.events {
		if e := &c.events[i]; e.AsOf > 0 {
			by[int(e.AsOf-1)] = append(by[int(e.AsOf-1)], e)
		}
	}
	return by
}

// standIn begins the lane of somebody who will go on in place of one who has just seen something.
func (c *check) standIn(seen, e *Event) {
	l := *c.lane(&Event{Who: seen.Who, Name: e.Name})
	l.who, l.left, l.got = e.Who, false, nil
	l.streams = maps.Clone(l.streams)
	for channel, s := range l.streams {
		n := *s
		n.links = map[int]int32{}
		l.streams[channel] = &n
	}
	c.lanes[l.laneKey] = &l
}
