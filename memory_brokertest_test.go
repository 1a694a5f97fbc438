package longwire_test

import (
	"testing"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/brokertest"
)

func TestMemoryBroker(t *testing.T) {
	brokertest.Run(t, brokertest.Maker{
		Virtual: true,
		Open: func(_ *testing.T, o brokertest.Options) longwire.Broker {
			return longwire.NewMemory(&longwire.MemoryOptions{Classes: o.Classes, Partitions: o.Partitions, KeyWindow: o.KeyWindow})
		},
	})
}
