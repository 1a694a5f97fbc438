package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A page is some publications of a partition that match one name or pattern, from a number on.
type page struct {
	list    []*longwire.Publication
	without uint64 // messages that were left out: foreign ones, and what is forgotten and not deleted yet
	last    uint64 // the number of the last message
	pending uint64 // how many more match behind it
}

// matched returns how many matched when it was read: those of the page, and behind it. What was left out takes
// room like others.
func (g *page) matched() uint64 { return uint64(len(g.list)) + g.without + g.pending }

// pageBytes bounds what the server sends of one page, and one publication more.
const pageBytes = 1 << 20

// pages are the requests for pages that are under way. Each answer is several messages; they come on
// one subscription, and the last tokens of their subjects say whose they are.
type pages struct {
	next  atomic.Uint64
	inbox string // immutable

	mu      sync.Mutex
	waiting map[string]*answer // guarded by mu
}

// An answer comes in pieces.
type answer struct {
	messages []*nats.Msg
	end      *nats.Msg
	done     chan struct{} // closed after the last
}

func (w *pages) open(nc *nats.Conn) error {
	w.inbox, w.waiting = nats.NewInbox()+".", map[string]*answer{}
	sub, err := nc.Subscribe(w.inbox+"*", w.hear)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // bounded by what is asked for
	}
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	return nil
}

func (w *pages) hear(m *nats.Msg) {
	id := strings.TrimPrefix(m.Subject, w.inbox)
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.waiting[id]
	if a == nil {
		return // whoever asked has gone
	}
	if m.Header.Get("Status") == "" {
		a.messages = append(a.messages, m)
		return
	}
	a.end = m
	delete(w.waiting, id)
	close(a.done)
}

// lost ends all requests: the connection was lost, and no answer comes any more.
func (w *pages) lost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, a := range w.waiting {
		delete(w.waiting, id)
		close(a.done)
	}
}

// ask asks for a page and waits for it. It asks again if the connection was lost and is there again.
func (w *pages) ask(ctx context.Context, nc *nats.Conn, subject string, body []byte) (*answer, error) {
	for {
		if a, err := w.askOnce(ctx, nc, subject, body); err != nil || a.end != nil {
			return a, err
		}
	}
}

func (w *pages) askOnce(ctx context.Context, nc *nats.Conn, subject string, body []byte) (*answer, error) {
	id := strconv.FormatUint(w.next.Add(1), 36)
	a := &answer{done: make(chan struct{})}
	w.mu.Lock()
	w.waiting[id] = a
	w.mu.Unlock()
	err := nc.PublishRequest(subject, w.inbox+id, body)
	if err == nil {
		select {
		case <-a.done:
			return a, nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	w.mu.Lock()
	delete(w.waiting, id)
	w.mu.Unlock()
	return nil, err
}

// fetch reads a page: at most so many publications with a number from first on that match.
func (b *Broker) fetch(ctx context.Context, p *part, name string, first uint64, most int) (*page, error) {
	return b.fetchPage(ctx, p, map[string]any{"seq": max(first, 1), "next_by_subj": p.filter(name), "batch": most, "max_bytes": pageBytes})
}

// filter returns what to ask the store for. A stream has nothing but what is under its subject, and asked for
// all it has the store need not look at what it has.
func (p *part) filter(name string) string {
	if name == ">" {
		return name
	}
	return p.subject + name
}

// fetchSince is fetch of what was kept at a time or later.
func (b *Broker) fetchSince(ctx context.Context, p *part, name string, since time.Time, most int) (*page, error) {
	return b.fetchPage(ctx, p, map[string]any{"start_time": since.UTC(), "next_by_subj": p.filter(name), "batch": most, "max_bytes": pageBytes})
}

// fetchPage reads a page. It is empty only if nothing more matches.
func (b *Broker) fetchPage(ctx context.Context, p *part, ask map[string]any) (*page, error) {
	g := &page{}
	for {
		if err := b.addPage(ctx, p, ask, g); err != nil || len(g.list) > 0 || g.pending == 0 {
			return g, err
		}
		delete(ask, "start_time")
		ask["seq"] = g.last + 1 // all that came was left out
	}
}

func (b *Broker) addPage(ctx context.Context, p *part, ask map[string]any, g *page) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	body, _ := json.Marshal(ask)
	a, err := b.pages.ask(ctx, b.reads.nc, "$JS.API.DIRECT.GET."+p.stream, body)
	if err != nil {
		return away(ctx, err)
	}
	switch status := a.end.Header.Get("Status"); status {
	case "204", "404":
	default:
		return wire.Errorf(wire.CodeUnavailable, "the store answers %q to a read; try again", strings.TrimSpace(status+" "+a.end.Header.Get("Description")))
	}
	g.list = make([]*longwire.Publication, 0, len(a.messages))
	g.pending, _ = strconv.ParseUint(a.end.Header.Get("Nats-Num-Pending"), 10, 64)
	for _, m := range a.messages {
		if g.last, err = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err != nil {
			return fmt.Errorf("jetstream: the number of a message: %w", err)
		}
		if q := b.publication(p, m.Header.Get("Nats-Subject"), g.last, m.Data); q != nil && !b.record.Load().forgot(q) {
			g.list = append(g.list, q)
		} else {
			g.without++
		}
	}
	return nil
}

// publication makes a publication of a message that was read, nil if it is none.
func (b *Broker) publication(p *part, subject string, number uint64, data []byte) *longwire.Publication {
	channel, ok := strings.CutPrefix(subject, p.subject)
	q := &longwire.Publication{Channel: channel, Partition: p.index, Epoch: b.record.Load().epochOf(p.index, number), Number: number}
	if !ok || wire.CheckChannel(channel) != nil || parsePublication(q, data) != nil {
		b.tellForeign(subject, number)
		return nil
	}
	return q
}

// tellForeign says once that there are messages of others. They are passed over as if they were not there.
func (b *Broker) tellForeign(subject string, number uint64) {
	if !b.foreign.Swap(true) {
		b.log.Warn("jetstream: somebody else publishes to longwire's subjects; that is passed over, but takes the room of publications; give longwire an account of its own", "subject", subject, "number", number)
	}
}
