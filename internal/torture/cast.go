package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/longwire/longwire/client"
)

// Who takes part. Every way has its share of subscribers that come by it alone; the others come by another each time.

// A reader is a subscriber or a guest.
type reader interface {
	run(ctx context.Context)
	lanes() (who, from string, names []string)
}

func (s *subscriber) lanes() (who, from string, names []string) { return s.who, s.from, s.names }
func (g *guest) lanes() (who, from string, names []string)      { return g.who, g.from, g.names }

// lanes returns every subscription that begins from one of these.
func lanes(all []reader, begins ...string) (keys []laneKey) {
	for _, r := range all {
		who, from, names := r.lanes()
		if !slices.Contains(begins, from) {
			continue
		}
		for _, name := range names {
			keys = append(keys, laneKey{who, name})
		}
	}
	return keys
}

// subscriptions is what is subscribed to. No two names of a line take the same channel, because one position
// cannot say that one of two subscriptions has had a publication, and the other not.
var subscriptions = [][]string{
	{"room.0"},
	{"room.1", "room.2"},
	{"deep.>"},
	{"room.3"},
	{"quiet"},
	{"room.4", "deep.a.b", "quiet"},
	{"room.5"},
	{"*.a.*", "room.6"},
	{"room.7", "room.0"},
	{"room.*"},
}

// overlapping is for those who always go on from a position for each name.
var overlapping = [][]string{
	{"room.1", "room.*"},
	{"deep.>", "deep.*.b", "deep.a.b"},
}

func (l *lap) subscribers() (all []reader) {
	guests := l.o.Subscribers / 6
	for i := range l.o.Subscribers {
		rng := rand.New(rand.NewPCG(l.seed, uint64(1000+i)))
		from := "all"
		if rng.IntN(3) == 0 {
			from = "now"
		}
		names := subscriptions[rng.IntN(len(subscriptions))]
		if i < guests {
			all = append(all, &guest{lap: l, who: fmt.Sprint("guest-", i), names: names, from: from, rng: rng})
			continue
		}
		s := &subscriber{
			lap: l, who: fmt.Sprint("subscriber-", i), names: names, from: from, rng: rng,
			tempo: tempo(rng.IntN(4)), d: l.dialer(rng),
		}
		s.d.small = s.tempo == slow || s.tempo == pausing
		l.pickWays(s, i-guests)
		all = append(all, s)
	}
	return all
}

func (l *lap) dialer(rng *rand.Rand) *dialer {
	return &dialer{http: l.srv.http, tcp: l.srv.tcp, rng: rng}
}

// pickWays decides by which ways a subscriber comes: the first ones by one each, so that none is left out. An NDJSON
// session of several subscriptions seldom tells where all of them stand, so now and then it is resumed by another way in.
func (l *lap) pickWays(s *subscriber, i int) {
	var each []way
	for _, w := range ways {
		if w.asksEach {
			each = append(each, w)
		}
	}
	switch {
	case i < 4*len(ways):
		s.ways = ways[i%len(ways):][:1]
		if w := s.ways[0]; w.tellsEach && !w.asksEach {
			s.ways = []way{w, w, each[s.rng.IntN(len(each))]}
		}
	case i%2 == 0:
		s.ways = ways
	default:
		s.ways = each
	}
	if !slices.ContainsFunc(s.ways, func(w way) bool { return !w.asksEach }) && s.rng.IntN(4) == 0 {
		s.names = overlapping[s.rng.IntN(len(overlapping))]
	}
}

// publisher returns what the how manieth publisher does.
func (l *lap) publisher(ctx context.Context, i int) func() {
	p := &publisher{lap: l, number: uint16(i), keyed: true, rng: rand.New(rand.NewPCG(l.seed, uint64(i)))}
	if l.o.Large {
		p.number += large
	}
	switch i % 20 {
	case 1, 2, 3, 4, 5:
		p.http = l.client()
		return func() { p.posts(ctx) }
	case 6, 7:
		p.http = l.client()
		return func() { p.batches(ctx) }
	case 8, 9, 10, 11:
		p.http, p.keyed = l.client(), false
		return func() { p.posts(ctx) }
	case 12, 13, 14, 15:
		p.keyed = false
		return func() { p.clients(ctx, vias[i%len(vias)], 1) }
	}
	return func() { p.clients(ctx, vias[i%len(vias)], 1+i%4) }
}

// dialClient dials the Go client.
func (l *lap) dialClient(ctx context.Context, via client.Via, back func()) (*client.Client, error) {
	addr := "http://" + l.srv.http
	if via == client.TCP {
		addr = "tcp://" + l.srv.tcp
	}
	return client.Dial(ctx, addr, &client.Options{Via: via, Name: "torture", Back: back, MaxWait: 2 * time.Second})
}
