package jetstream

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// startThree starts a cluster of three servers, and returns when it can keep things.
func startThree(t *testing.T) []*outside {
	t.Helper()
	var list []*outside
	ports := freePorts(t, 3)
	var routes []string
	for _, port := range ports {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	for i := range 3 {
		list = append(list, startOutside(t, func(o *server.Options) {
			o.ServerName = fmt.Sprint("outside-", i)
			o.Cluster = server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: ports[i]}
			o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
		}))
	}
	eventually(t, "leader", func() bool {
		return slices.ContainsFunc(list, func(o *outside) bool { return o.s.JetStreamIsLeader() }) && list[0].s.JetStreamIsCurrent()
	})
	return list
}

// freePorts returns ports that nobody listened on just now.
func freePorts(t *testing.T, n int) (ports []int) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// eventually waits for what nobody tells of.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * patience)
	for !so() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no %s", what)
		}
	}
}

// TestReplicas: with three replicas two nodes on different servers share what is published, and go on
// when one server ends.
func TestReplicas(t *testing.T) {
	three := startThree(t)
	o := Options{Replicas: 3, Partitions: 1, Log: quiet}
	o.URL = three[0].url() + "," + three[1].url() + "," + three[2].url()
	var a, b *Broker
	eventually(t, "node", func() bool { // JetStream may not have room on all servers at once
		var err error
		if a, err = Open(t.Context(), &o); err != nil {
			t.Log(err)
		}
		return err == nil
	})
	t.Cleanup(func() { closeIt(t, a) })
	o.URL = three[1].url() + "," + three[2].url()
	b = open(t, &o)
	wa, wb := follow(t, a), follow(t, b)
	const n = 300
	for i := range n {
		say(t, []*Broker{a, b}[i%2], fmt.Sprint("c.", i%3), fmt.Sprint(i))
		// What is acknowledged is read, whichever replica answers.
		r := &longwire.Range{Channels: []string{">"}, Epoch: a.record.Load().epoch(), After: uint64(i)}
		if got, want := read(t, []*Broker{b, a}[i%2], r), fmt.Sprintf("%d:c.%d=%d ", i+1, i%3, i); got != want {
			t.Fatalf("behind %d: %q, want %q", i, got, want)
		}
	}
	three[0].stop()
	told := 0
	eventually(t, "publication", func() bool {
		_, err := publish(t, a, &longwire.Publication{Channel: "c.0", Data: []byte("after")})
		if code := wire.CodeOf(err); err != nil && code != wire.CodeUnavailable && code != wire.CodeOutcomeUnknown {
			t.Fatal(err)
		}
		told++
		return err == nil
	})
	say(t, b, "c.1", "end")
	for _, w := range []*witness{wa, wb} {
		w.until("end", func(fs []longwire.Feed) bool {
			ps := fs[len(fs)-1].Publications
			return len(ps) > 0 && string(ps[len(ps)-1].Data) == "end"
		})
		got := w.hears(n + 2)
		for i, s := range got {
			if !strings.HasPrefix(s, fmt.Sprintf("%d:", i+1)) {
				t.Fatalf("publication %d is told as %s", i+1, s)
			}
		}
	}
}

func closeIt(t *testing.T, b *Broker) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
}

// TestStaleReplica: a page of a replica that is behind is read again. The replica is played: those of one
// process are never behind for long.
func TestStaleReplica(t *testing.T) {
	o := startOutside(t, nil).options()
	o.Partitions = 1
	b := open(t, &o)
	begun := time.Now()
	say(t, b, "x", "1")
	say(t, b, "x", "2")
	b.opts.Replicas = 3 // as far as reading is concerned
	for _, c := range []struct {
		name string
		r    longwire.Range
		has  int // what the replica that is behind has
		want int // pages that are read
	}{
		{"one of two", longwire.Range{}, 1, 2},
		{"none of two", longwire.Range{}, 0, 2},
		{"both", longwire.Range{}, 2, 1},
		{"none since", longwire.Range{From: begun}, 0, 2},
		{"none since later", longwire.Range{From: begun.Add(time.Hour)}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &walk{b: b, p: b.parts[0], ctx: t.Context(), r: &c.r, end: 2}
			pages := 0
			n := &want{name: "x"}
			_, err := w.whole(n, func() (*page, error) {
				pages++
				g, err := b.fetch(t.Context(), w.p, n.name, 1, 10)
				if err == nil && pages == 1 {
					g.list, g.last = g.list[:c.has], uint64(c.has)
				}
				return g, err
			})
			if err != nil || pages != c.want {
				t.Errorf("%d pages are read, want %d; %v", pages, c.want, err)
			}
		})
	}
	if q, err := b.fetchOne(t.Context(), b.parts[0], 2); err != nil || string(q.Data) != "2" {
		t.Errorf("the leader has %+v, %v", q, err)
	}
	if q, err := b.fetchOne(t.Context(), b.parts[0], 3); err != nil || q != nil {
		t.Errorf("the leader has %+v, %v", q, err)
	}
}
