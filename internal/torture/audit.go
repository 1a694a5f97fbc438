package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/longwire/longwire/wire"
)

// audit writes down what is kept of every channel in the end, and probes positions that were told along the way: what
// follows each is to be what follows its publication.
func (l *lap) audit(ctx context.Context, h *http.Client) error {
	for _, channel := range l.channels {
		since := "all"
		for {
			page, err := l.history(ctx, h, channel, since, 1000)
			if err != nil {
				return fmt.Errorf("history of %s: %w", channel, err)
			}
			if len(page.Publications) == 0 {
				break
			}
			for _, f := range page.Publications {
				e := Event{Kind: Kept, Who: "driver", Channel: channel, Position: f.Position}
				e.ID, e.Note = identify(f)
				l.h.Record(e)
			}
			since = page.Position
		}
	}
	return l.probes(ctx, h)
}

// identify returns which publication a frame is.
func identify(f *wire.ServerFrame) (id ID, wrong string) {
	t, _, p, err := f.Value()
	if err != nil {
		return ID{}, err.Error()
	}
	return recognise(t, p)
}

// maxProbes is how many positions of a lap are probed by chance; those of keys that were acknowledged at two are probed all.
const maxProbes = 100

// probes asks what follows positions that were acknowledged or received, each as a reader of its own.
func (l *lap) probes(ctx context.Context, h *http.Client) error {
	var list []Event
	first := map[ID]Event{}
	events := l.h.all()
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
	for range maxProbes {
		if e := events[l.rng.IntN(len(events))]; (e.Kind == Acked || e.Kind == Received) && e.Position != "" && e.ID != (ID{}) {
			list = append(list, e)
		}
	}
	for i := range list {
		if err := l.probe(ctx, h, i, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *lap) probe(ctx context.Context, h *http.Client, i int, e *Event) error {
	page, err := l.history(ctx, h, e.Channel, e.Position, 1)
	if err != nil {
		return fmt.Errorf("history of %s since %s: %w", e.Channel, e.Position, err)
	}
	r := Event{Who: fmt.Sprint("probe-", i), Name: e.Channel, Channel: e.Channel, Link: 1}
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

// A page is an answer of history.
type page struct {
	Publications []*wire.ServerFrame
	Position     string
	Gap          bool
}

func (l *lap) history(ctx context.Context, h *http.Client, channel, since string, limit int) (*page, error) {
	query := url.Values{"since": {since}, "limit": {fmt.Sprint(limit)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.srv.http+"/channels/"+channel+"/history?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := do(h, req, http.StatusOK)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	p := &page{}
	return p, json.NewDecoder(resp.Body).Decode(p)
}
