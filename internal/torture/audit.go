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
// and publishers wait for it.

// archiveEvery is short enough for publishers seldom to have to wait.
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
		written := l.pacing.look(channel)
		for {
			page, err := l.history(ctx, h, channel, cmp.Or(l.ends[channel], "all"), 1000)
			if err != nil {
				return fmt.Errorf("history of %s: %w", channel, err)
			}
			if page.Gap {
				l.fail(fmt.Errorf("torture: history of %s lacks something behind %s that nobody has dropped for its count", channel, l.ends[channel]))
			}
			l.ends[channel] = page.Position
			l.pacing.keep(len(page.Publications))
			for _, f := range page.Publications {
				e := Event{Kind: Kept, Who: "driver", Channel: channel, Position: f.Position}
				e.ID, e.Note = identify(f)
				l.h.Record(e)
			}
			if len(page.Publications) == 0 {
				written()
				break
			}
		}
	}
	return nil
}

// audit writes down the rest, and probes positions that were told along the way: what follows each is to be what follows its
// publication.
func (l *lap) audit(ctx context.Context, stop func(), all []reader) error {
	stop()
	h := l.client()
	defer h.CloseIdleConnections()
	if err := l.writeDown(ctx, h); err != nil {
		return err
	}
	return l.probes(ctx, h, all)
}

// identify returns which publication a frame is.
func identify(f *wire.ServerFrame) (id ID, wrong string) {
	t, _, p, err := f.Value()
	if err != nil {
		return ID{}, err.Error()
	}
	return recognise(t, p)
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
