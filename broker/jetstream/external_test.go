package jetstream

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/brokertest"
)

// An outside is a NATS server that the test runs, on a port of loopback.
type outside struct {
	t    *testing.T
	opts *server.Options
	s    *server.Server
}

// startOutside starts a server; change may change its options.
func startOutside(t *testing.T, change func(o *server.Options)) *outside {
	t.Helper()
	o := &outside{t: t, opts: &server.Options{
		ServerName: "outside", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(), MaxPayload: 2 << 20,
	}}
	if change != nil {
		change(o.opts)
	}
	o.start()
	t.Cleanup(o.stop)
	return o
}

func (o *outside) start() {
	o.t.Helper()
	s, err := server.NewServer(o.opts)
	if err != nil {
		o.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		o.t.Fatal("the NATS server does not come up")
	}
	o.s, o.opts.Port = s, s.Addr().(*net.TCPAddr).Port
}

func (o *outside) stop() {
	o.s.Shutdown()
	o.s.WaitForShutdown()
}

// lose has the server lose all that it has.
func (o *outside) lose() {
	o.stop()
	if err := os.RemoveAll(o.opts.StoreDir); err != nil {
		o.t.Fatal(err)
	}
	o.start()
}

func (o *outside) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", o.opts.Port) }

var prefixes atomic.Int32

// options are those of a broker that shares nothing with others on the server.
func (o *outside) options() Options {
	return Options{URL: o.url(), Log: quiet, prefix: fmt.Sprintf("t%d", prefixes.Add(1))}
}

// TestContractOutside holds the broker with a server outside to the contract of all brokers. There is no
// Kill: the end of a node is not that of the data.
func TestContractOutside(t *testing.T) {
	out := startOutside(t, nil)
	begin := func(t *testing.T, o Options) *Broker {
		t.Helper()
		b, err := Open(t.Context(), &o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	brokertest.Run(t, brokertest.Maker{
		Age: 2 * time.Second,
		Open: func(t *testing.T, o brokertest.Options) longwire.Broker {
			c := out.options()
			c.Classes, c.Partitions, c.KeyWindow = o.Classes, o.Partitions, o.KeyWindow
			b := begin(t, c)
			t.Cleanup(func() { clean(t, out, b) })
			return b
		},
		Reopen: func(t *testing.T, b longwire.Broker) longwire.Broker {
			return begin(t, b.(*Broker).opts)
		},
		Interrupt: func(_ *testing.T, b longwire.Broker) { b.(*Broker).disturb() },
	})
}

var disturbed atomic.Int32

// disturb breaks what feeds followers, in one of three ways.
func (b *Broker) disturb() {
	switch disturbed.Add(1) % 3 {
	case 0:
		if err := b.cluster.hears.nc.ForceReconnect(); err != nil {
			panic(err)
		}
	case 1:
		b.post(b.breakFeeds)
	case 2: // a message is lost on the way
		b.post(func() { b.cluster.feeds[0].count-- })
	}
}

// clean deletes a broker's streams, which others on the server are not to be slowed by.
func clean(t *testing.T, out *outside, b *Broker) {
	c, err := (&Broker{opts: b.opts, cluster: &cluster{}}).dial("cleaning")
	if err != nil {
		t.Fatal(err)
	}
	defer c.nc.Close()
	for _, p := range b.parts {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, _ = c.nc.RequestWithContext(ctx, "$JS.API.STREAM.DELETE."+p.stream, nil)
		cancel()
	}
}
