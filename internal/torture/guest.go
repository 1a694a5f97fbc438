package torture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/longwire/longwire/client"
)

// vias is every way that the client knows.
var vias = []client.Via{client.WebSocket, client.TCP, client.SSE, client.NDJSON, client.Poll}

// A guest is a subscriber that uses the Go client, which comes back by itself. Now and then it is closed, and another
// is dialled, by another way: that one is given the position of the last publication of each name, or where it began.
type guest struct {
	// Immutable.
	lap   *lap
	who   string
	names []string
	from  string
	rng   *rand.Rand // owned by run

	mu sync.Mutex
	// Guarded by mu.
	since map[string]string
	link  int32
}

func (g *guest) run(ctx context.Context) {
	g.since = map[string]string{}
	for _, name := range g.names {
		g.since[name] = g.from
	}
	for ctx.Err() == nil {
		via := vias[g.rng.IntN(len(vias))]
		err := g.visit(ctx, via)
		g.lap.tally.link("client by "+string(via), err)
		g.record(Event{Kind: Ended, Note: err.Error()})
		g.lap.sleep(ctx, time.Duration(g.rng.IntN(300))*time.Millisecond)
	}
}

// connecting begins another link.
func (g *guest) connecting(note string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.link++
	for _, name := range g.names {
		position := g.since[name]
		if note == back {
			position = "" // the client's own business
		}
		g.lap.h.Record(Event{Kind: Connecting, Who: g.who, Link: g.link, Name: name, Position: position, Note: note})
	}
}

const back = "the client is back"

func (g *guest) record(e Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e.Who, e.Link = g.who, g.link
	g.lap.h.Record(e)
}

var errLeft = errors.New("closed, to come by another way")

// visit is one client's life.
func (g *guest) visit(ctx context.Context, via client.Via) error {
	life, cancel := context.WithTimeoutCause(ctx, 3*g.lap.life(g.rng), errLeft)
	defer cancel()
	c, err := g.lap.dialClient(life, via, func() { g.connecting(back) })
	if err != nil {
		return err
	}
	defer c.Close()
	g.connecting("by client over " + string(via))
	for _, name := range g.names {
		g.mu.Lock()
		since := g.since[name]
		g.mu.Unlock()
		sub, err := c.Subscribe(life, name, &client.SubscribeOptions{
			Since:   since,
			Message: func(m *client.Message) { g.message(m, "client by "+string(via)) },
			Gap: func(m *client.Gap) {
				g.record(Event{Kind: Gapped, Name: m.Channel, Position: m.Position, Note: fmt.Sprintf("after %s, lost %d", m.After, m.Lost)})
			},
		})
		if err != nil {
			return err
		}
		g.stands(name, sub.Position())
	}
	select {
	case <-life.Done():
		return context.Cause(life)
	case <-c.Done():
		return c.Err()
	}
}

// stands notes where a subscription began. Where it has had something since, that is known better.
func (g *guest) stands(name, at string) {
	g.record(Event{Kind: Connected, Name: name, Position: at})
	g.mu.Lock()
	if position(g.since[name]) == "" {
		g.since[name] = at
	}
	g.mu.Unlock()
	g.lap.standing.cross(laneKey{g.who, name})
}

func (g *guest) message(m *client.Message, by string) {
	name := cmp.Or(m.Pattern, m.Channel)
	e := Event{Kind: Received, Name: name, Channel: m.Channel, Position: m.Position}
	e.ID, e.Note = recognise(m.Data.Type, m.Data.Bytes)
	g.record(e)
	g.mu.Lock()
	g.since[name] = m.Position
	g.mu.Unlock()
	g.lap.standing.cross(laneKey{g.who, name})
	g.lap.tally.received(by)
	g.lap.arrived(g.who, name, m.Channel, e.ID)
}
