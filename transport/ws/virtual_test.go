package ws

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/internal/memnet"
)

// virtual runs f in virtual time, with h served on a network in memory.
func virtual(t *testing.T, h *Handler, f func(t *testing.T, dial func() *client)) {
	virtualLoops(t, 1, h, f)
}

func virtualLoops(t *testing.T, loops int, h *Handler, f func(t *testing.T, dial func() *client)) {
	synctest.Test(t, func(t *testing.T) {
		e, err := longwire.NewEngine(&longwire.EngineOptions{Loops: loops, Goroutines: true, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		h.Engine, h.Log = e, quiet
		ln := memnet.Listen("127.0.0.1:80")
		srv := &http.Server{Handler: h}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ln) }()
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			srv.Shutdown(ctx)
			<-served
			e.Close(ctx)
		}()
		f(t, func() *client {
			conn, err := ln.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c := shakeHands(t, conn, nil)
			conn.SetDeadline(time.Time{})
			return c
		})
	})
}

// clock measures virtual time since the last look.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{time.Now()} }

// within fails the test unless the time since the last look is d, or up to
// late more.
func (c *clock) within(t *testing.T, d, late time.Duration) {
	t.Helper()
	got := time.Since(c.at)
	c.at = time.Now()
	if got < d || got > d+late {
		t.Fatalf("after %v, want %v and at most %v more", got, d, late)
	}
}
