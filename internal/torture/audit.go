package torture

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/longwire/longwire/wire"
)

// Auditing: what is kept of every channel is written down. Where all is kept, that is done in the end; otherwise all the time,
// so often that nothing is dropped before it is written down.

// archiveEvery is short enough for what is kept of a channel not to be published meanwhile.
const archiveEvery = 100 * time.Millisecond

// archive begins to write down what is kept, where not all is. It has ended when the function that is returned has.
func (l *lap) archive(ctx context.Context, wg *sync.WaitGroup) (stop func()) {
	if l.o.Keep == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		h := l.client()
		defer h.CloseIdleConnections()
		for ctx.Err() == nil {
			_ = l.writeDown(ctx, h) // the server may be down; what is not there in the end is told then
			l.sleep(ctx, archiveEvery)
		}
	})
	return func() {
		cancel()
		<-done
	}
}

// writeDown writes down what follows what was written down of each channel.
func (l *lap) writeDown(ctx context.Context, h *http.Client) error {
	for _, channel := range l.channels {
		for {
			page, err := l.history(ctx, h, channel, cmp.Or(l.ends[channel], "all"), 1000)
			if err != nil {
				return fmt.Errorf("history of %s: %w", channel, err)
			}
			if page.Gap {
				l.fail(fmt.Errorf("torture: history of %s lacks something behind %s: it was read too slowly", channel, l.ends[channel]))
			}
			l.ends[channel] = page.Position
			for _, f := range page.Publications {
				e := Event{Kind: Kept, Who: "driver", Channel: channel, Position: f.Position}
				e.ID, e.Note = identify(f)
				l.h.Record(e)
			}
			if len(page.Publications) == 0 {
				break
			}
		}
	}
	return nil
}

// audit writes down the rest, and probes positions that were told along the way: what follows each is to be what follows its
// publication.
func (l *lap) audit(ctx context.Context, stop func()) error {
	stop()
	h := l.client()
	defer h.CloseIdleConnections()
	if err := l.writeDown(ctx, h); err != nil {
		return err
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
