package torture

import (
	"context"
	"fmt"
	"net/http"
)

// Probing: what follows a position that was told along the way is asked, as a reader of its own, which is judged like any
// other. In the end nothing is published any more, so what may be missing is known exactly.

// maxProbes is how many positions of a lap are probed by chance; all are of keys that were acknowledged at two, and
// around where it begins that something is missing.
const maxProbes = 100

// probes probes a lap's positions.
func (l *lap) probes(ctx context.Context, h *http.Client, all []reader) error {
	events := l.h.all()
	list := again(events)
	for range maxProbes {
		if e := events[l.rng.IntN(len(events))]; (e.Kind == Acked || e.Kind == Received) && e.Position != "" && e.ID != (ID{}) {
			list = append(list, e)
		}
	}
	edges := l.edges(events, all)
	for i := range list {
		if err := l.probe(ctx, h, fmt.Sprint("probe-", i), &list[i]); err != nil {
			return err
		}
	}
	for i, e := range edges {
		if err := l.standIn(ctx, fmt.Sprint("stand-in-", i), &events[e.event], e); err != nil {
			return err
		}
	}
	return nil
}

// again returns the acknowledgements of those that were acknowledged at two positions.
func again(events []Event) (list []Event) {
	first := map[ID]Event{}
	for i := range events {
		e := &events[i]
		if e.Kind != Acked {
			continue
		}
		if f, again := first[e.ID]; !again {
			first[e.ID] = *e
		} else if f.Position != e.Position {
			list = append(list, f, *e)
		}
	}
	return list
}

// probe asks history what follows a publication's position.
func (l *lap) probe(ctx context.Context, h *http.Client, who string, e *Event) error {
	page, err := l.history(ctx, h, e.Channel, e.Position, 1)
	if err != nil {
		return fmt.Errorf("history of %s since %s: %w", e.Channel, e.Position, err)
	}
	r := Event{Who: who, Name: e.Channel, Channel: e.Channel, Link: 1}
	record := func(k Kind, id ID, position, note string) {
		r.Kind, r.ID, r.Position, r.Note = k, id, position, note
		l.h.Record(r)
	}
	record(Connecting, e.ID, e.Position, "")
	if page.Gap {
		record(Gapped, ID{}, "", "history has it")
	}
	for _, f := range page.Publications {
		id, wrong := identify(f)
		record(Received, id, f.Position, wrong)
		record(Left, ID{}, "", "")
	}
	return nil
}
