package torture

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/longwire/longwire/wire"
)

// Who comes back where it begins that something is missing, hardly ever does so by chance while nothing is on its way. So in the
// end somebody goes on in place of readers from where they stood when about as many followed as are kept.

// An edge is where a reader stood so.
type edge struct {
	event int // that it saw last; its position is everybody's
	names []string
}

// What of edges is looked for: so many more that follow than are kept, which is where nothing is missing yet, and where something
// is; of all who stood further back as many as of one of these.
const (
	edgeFrom, edgeTo = -4, 3
	edgesEach        = 2
)

// edges returns where readers of all kinds stood.
func (l *lap) edges(events []Event, all []reader) (list []edge) {
	m := newSurvey(l, events, all)
	found := map[string]int{}
	for i := range events {
		if names, excess, ok := m.see(&events[i]); ok && excess >= edgeFrom {
			key := fmt.Sprint(strings.Join(names, ","), min(excess, edgeTo))
			if found[key]++; found[key] <= edgesEach {
				list = append(list, edge{i, names})
			}
		}
	}
	return list
}

// A survey follows where readers stand in what was kept in the end.
type survey struct {
	l     *lap
	names map[string][]string       // by reader
	ways  map[string]string         // by which way each came
	place map[ID]int                // in what was kept of its channel
	kept  map[string]int            // by channel
	last  map[string]map[string]int // by reader and channel, the place of the last one and one
}

func newSurvey(l *lap, events []Event, all []reader) *survey {
	m := &survey{l, map[string][]string{}, map[string]string{}, map[ID]int{}, map[string]int{}, map[string]map[string]int{}}
	for _, r := range all {
		who, _, names := r.lanes()
		m.names[who], m.last[who] = names, map[string]int{}
	}
	for i := range events {
		if e := &events[i]; e.Kind == Kept {
			m.kept[e.Channel]++
			m.place[e.ID] = m.kept[e.Channel]
		}
	}
	return m
}

// see sees an event. If it left its reader at a position that is everybody's, that is told with the most that of one
// of its channels more follow than are kept.
func (m *survey) see(e *Event) (names []string, excess int, ok bool) {
	names, known := m.names[e.Who]
	switch {
	case !known:
	case e.Kind == Connecting:
		m.ways[e.Who] = strings.TrimPrefix(e.Note, "by ")
	case e.Kind == Received && m.place[e.ID] > 0:
		m.last[e.Who][e.Channel] = m.place[e.ID]
		i := slices.IndexFunc(ways, func(w way) bool { return w.name == m.ways[e.Who] })
		return names, m.excess(e.Who, names), i >= 0 && !ways[i].tellsEach && e.Position != ""
	}
	return nil, 0, false
}

func (m *survey) excess(who string, names []string) int {
	most := edgeFrom - 1
	for channel, kept := range m.kept {
		if keeps := m.l.keeps(channel); keeps > 0 && slices.ContainsFunc(names, func(name string) bool { return matches(name, channel) }) {
			most = max(most, kept-m.last[who][channel]-keeps)
		}
	}
	return most
}

// standIn polls once in place of a reader who saw an event.
func (l *lap) standIn(ctx context.Context, who string, seen *Event, at edge) error {
	since := map[string]string{}
	for _, name := range at.names {
		since[name] = seen.Position
		l.h.Record(Event{Kind: Connecting, Who: who, Name: name, Position: seen.Position, Link: 1, AsOf: int32(at.event + 1)})
	}
	link, err := openReadingPoll(ctx, l.dialer(l.rng), &asking{names: at.names, since: since})
	if err != nil {
		return err
	}
	defer link.cut()
	s := &subscriber{lap: l, who: who, names: at.names, link: 1, begun: true, stance: newStance(at.names, seen.Position)}
	for {
		f, err := link.next()
		if err != nil {
			return fmt.Errorf("polling %v since %s: %w", at.names, seen.Position, err)
		}
		if f.Op == wire.OpPing { // the end of the answer
			break
		}
		if err := s.hear(f); err != nil {
			return err
		}
	}
	for _, name := range at.names {
		s.record(Event{Kind: Left, Name: name})
	}
	return nil
}
