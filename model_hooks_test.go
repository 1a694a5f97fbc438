package longwire_test

import (
	"context"
	"time"

	"github.com/longwire/longwire"
)

// handler is a program that takes its time.
func (m *model) handler() longwire.Handler {
	wait := func() { time.Sleep(m.late(100 * time.Millisecond)) }
	return longwire.Handler{
		Connect: func(_ context.Context, r *longwire.ConnectRequest) (*longwire.Peer, error) {
			wait()
			return &longwire.Peer{User: r.Token}, nil
		},
		Subscribe: func(context.Context, *longwire.Session, string) error { wait(); return nil },
		Publish:   func(context.Context, *longwire.Session, *longwire.Publication) error { wait(); return nil },
		Call: func(_ *longwire.Session, c *longwire.Call) {
			m.wg.Go(func() {
				wait()
				c.Reply(c.Kind, c.Data)
			})
		},
		Send: func(*longwire.Session, string, longwire.Kind, []byte) { wait() },
	}
}
