package longwire_test

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/ways"
)

// Several partitions, and two nodes on one broker: each has an order of its own. Whoever comes back,
// at either, by any way and with any position that it was told and has processed all before, gets exactly what
// follows: each channel in order, none missing and none twice, without a gap.
func TestPartitions(t *testing.T) {
	for i := range *partitionSeeds {
		seed := uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newTravellers(t, seed).travel() })
		})
	}
}

var partitionSeeds = flag.Int("partitions.seeds", 6, "seeds of TestPartitions")

type travellers struct {
	t         *testing.T
	rnd       *rand.Rand
	nodes     [2]*rig
	channels  []string
	published map[string]int // the last of each channel: they are numbered from 1
	all       []*traveller
}

// A traveller reads some channels and patterns.
type traveller struct {
	ts    *travellers
	n     int
	names []string
	peer  *peer
	at    map[string]string // by name: the position of the last that was processed of it
	token string            // of everything, where the way has one
	heard map[string]int    // by name and channel
	amid  bool              // a publication was processed for one name and not for another
	past  []string
}

func newTravellers(t *testing.T, seed uint64) *travellers {
	ts := &travellers{t: t, rnd: rand.New(rand.NewPCG(seed, 11)), published: map[string]int{}}
	b := longwire.NewMemory(&longwire.MemoryOptions{Partitions: 1 + ts.rnd.IntN(5)})
	for i := range ts.nodes {
		o := openToAll
		o.Broker = lasting{b}
		o.ResumeWindow = -1
		longwire.Bound(&o, longwire.Bounds{Recent: []int{1 << 10, 24, 6}[ts.rnd.IntN(3)], Window: 1 + ts.rnd.IntN(7), Page: 1 + ts.rnd.IntN(7), Turn: 1 + ts.rnd.IntN(5), Together: []int{2, 64}[ts.rnd.IntN(2)]})
		ts.nodes[i] = newRig(t, o)
	}
	t.Cleanup(func() { b.Close(context.Background()) })
	for i := range 7 {
		ts.channels = append(ts.channels, fmt.Sprintf("%c.%d", 'a'+i%2, i))
	}
	for i := range 6 {
		ts.all = append(ts.all, &traveller{ts: ts, n: i, names: ts.someNames(), at: map[string]string{}, heard: map[string]int{}})
	}
	return ts
}

// A lasting broker is not closed with a node.
type lasting struct{ longwire.Broker }

func (lasting) Close(context.Context) error { return nil }

func (l lasting) Partitions() int {
	if p, ok := l.Broker.(longwire.Partitioned); ok {
		return p.Partitions()
	}
	return 1
}

func (l lasting) Partition(c string) int {
	if p, ok := l.Broker.(longwire.Partitioned); ok {
		return p.Partition(c)
	}
	return 0
}

func (ts *travellers) someNames() (names []string) {
	for _, name := range append(slices.Clone(ts.channels), "a.*", ">", "b.>") {
		if ts.rnd.IntN(3) == 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		names = []string{"*.*"}
	}
	return names
}

func (ts *travellers) travel() {
	for _, v := range ts.all {
		v.begin()
	}
	for range 60 {
		switch v := ts.all[ts.rnd.IntN(len(ts.all))]; ts.rnd.IntN(6) {
		case 0, 1, 2:
			for range 1 + ts.rnd.IntN(12) {
				ts.publish()
			}
		case 3:
			v.process(ts.rnd.IntN(10))
		case 4:
			v.comeBack()
		case 5:
			synctest.Wait()
		}
	}
	for _, v := range ts.all {
		if ts.rnd.IntN(2) == 0 {
			v.comeBack()
		}
		v.finish()
	}
}

func (ts *travellers) publish() {
	c := ts.channels[ts.rnd.IntN(len(ts.channels))]
	ts.published[c]++
	ts.nodes[ts.rnd.IntN(2)].publish(c, fmt.Sprint(ts.published[c]))
}

// begin begins behind what there is.
func (v *traveller) begin() { v.connect("all") }

// comeBack leaves, maybe without having read all that came, and comes back.
func (v *traveller) comeBack() {
	v.peer.Cut()
	time.Sleep(time.Duration(v.ts.rnd.IntN(3)) * time.Second)
	v.connect("")
}

// connect opens a link at one of the nodes: a session, or one that only reads.
func (v *traveller) connect(since string) {
	ts := v.ts
	r := ts.nodes[ts.rnd.IntN(2)]
	if since == "" && v.token == "" || ts.rnd.IntN(2) == 0 {
		all := ways.All()
		w := all[ts.rnd.IntN(len(all))]
		for w.ByToken { // a new session has no token
			w = all[ts.rnd.IntN(len(all))]
		}
		var list []string
		for _, name := range v.names {
			from := since
			if from == "" {
				from = cmp.Or(v.at[name], "all") // before it was told of any position
			}
			list = append(list, fmt.Sprintf(`{"channel":%q,"since":%q}`, name, from))
		}
		var err error
		if v.peer, err = r.tryDial(w, ways.Options{Subscribe: "[" + strings.Join(list, ",") + "]"}); err != nil {
			ts.t.Fatal(err)
		}
		for _, s := range v.peer.connected().Subscriptions {
			if s.Gap || s.Error != nil {
				ts.t.Errorf("%d, %s: a gap at %s", v.n, w.Name, s.Channel)
			}
			v.stand(s.Channel, s.Position)
		}
		v.token = ""
		v.log("a session by %s with %s", w.Name, list)
		return
	}
	readings := ways.Readings()
	w := readings[ts.rnd.IntN(len(readings))]
	query, from := "", v.token
	if since != "" {
		query, from = "since="+since, ""
	}
	v.log("%s from %s", w.Name, from)
	v.peer = r.reads(w, strings.ReplaceAll(strings.Join(v.names, ","), ">", "%3E"), query, from)
	if v.token = from; from != "" {
		for _, name := range v.names {
			v.stand(name, from)
		}
	}
}

// log notes what happens to a traveller, for what a failure says.
func (v *traveller) log(format string, args ...any) {
	v.past = append(v.past, fmt.Sprintf(format, args...))
}

func (v *traveller) fail(format string, args ...any) {
	v.ts.t.Helper()
	v.ts.t.Fatalf("traveller %d, %s %v: %s; before that\n  %s", v.n, v.peer.way.Name, v.names, fmt.Sprintf(format, args...), strings.Join(v.past[max(0, len(v.past)-40):], "\n  "))
}

// stand notes where a subscription stands.
func (v *traveller) stand(name, at string) {
	if at != "" {
		v.at[name] = at
	}
}

// process takes up some of what came.
func (v *traveller) process(n int) {
	synctest.Wait()
	for i := 0; i < n || v.amid; i++ {
		select {
		case s, ok := <-v.peer.hears:
			if !ok {
				v.fail("the link ended: %v", v.peer.end)
			}
			v.take(s)
		default:
			return
		}
	}
}

func (v *traveller) take(s string) {
	t := v.ts.t
	var f frame
	if err := json.Unmarshal([]byte(s), &f); err != nil {
		t.Fatal(err)
	}
	v.log("%s", s)
	switch f.Op {
	case "message":
		name := f.Channel
		if f.Sub != "" {
			name = f.Sub
		}
		var text string
		_ = json.Unmarshal(f.Data, &text)
		key := name + " " + f.Channel
		if v.heard[key]++; text != fmt.Sprint(v.heard[key]) {
			v.fail("heard %s of %s for %s, want %d", text, f.Channel, name, v.heard[key])
		}
		v.at[name] = f.Position
	case "gap":
		v.fail("a gap")
	case "ping":
		for _, name := range v.names {
			v.at[name] = f.Position
		}
	case "connected", "reply":
		return
	}
	if v.amid = v.again(s); v.peer.way.ByToken && !v.amid {
		v.token = f.Position
	}
}

// again reports whether the same publication comes once more, for another name: only the last tells that
// all had it.
func (v *traveller) again(s string) bool {
	var f, next frame
	_ = json.Unmarshal([]byte(s), &f)
	if f.Op != "message" || len(v.peer.hears) == 0 {
		return false
	}
	n := <-v.peer.hears
	rest := []string{n}
	for range len(v.peer.hears) {
		rest = append(rest, <-v.peer.hears)
	}
	for _, r := range rest {
		v.peer.hears <- r
	}
	_ = json.Unmarshal([]byte(n), &next)
	return next.Op == "message" && next.Channel == f.Channel && string(next.Data) == string(f.Data)
}

// finish takes up all that is left, and says what is missing.
func (v *traveller) finish() {
	time.Sleep(time.Minute)
	v.process(1 << 20)
	for _, name := range v.names {
		for _, c := range v.ts.channels {
			want := 0
			if modelMatches(name, c) {
				want = v.ts.published[c]
			}
			if got := v.heard[name+" "+c]; got != want {
				v.fail("heard %d of the %d of %s for %s", got, want, c, name)
			}
		}
	}
	v.peer.Cut()
}
