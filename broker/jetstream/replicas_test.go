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
