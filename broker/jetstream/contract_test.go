package jetstream

import (
	"log/slog"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/brokertest"
)

var quiet = slog.New(slog.DiscardHandler)

// TestContract holds the broker with the server inside to the contract of all brokers.
func TestContract(t *testing.T) {
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
			return begin(t, Options{Dir: t.TempDir(), Classes: o.Classes, Partitions: o.Partitions, KeyWindow: o.KeyWindow, Log: quiet})
		},
		Reopen: func(t *testing.T, b longwire.Broker) longwire.Broker {
			return begin(t, b.(*Broker).opts)
		},
		Kill:      func(_ *testing.T, b longwire.Broker) { b.(*Broker).kill() },
		Interrupt: func(_ *testing.T, b longwire.Broker) { b.(*Broker).interrupt() },
	})
}

// kill ends the broker as the end of its process does: nothing is noted.
func (b *Broker) kill() {
	b.once.Do(func() {
		b.closing.Store(true)
		b.stop()
		b.release()
	})
}

// interrupt has followers told of what is read, over a connection that has just been lost.
func (b *Broker) interrupt() {
	if err := b.reads.nc.ForceReconnect(); err != nil {
		panic(err)
	}
	b.post(b.again)
}
