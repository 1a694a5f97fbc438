package longwire

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/longwire/longwire/internal/loop"
)

// An Engine is the set of event loops that connections live on. Most programs
// need not make one: transports whose Engine field is nil share one engine
// with a loop per core, made when it is first needed and never closed.
type Engine struct {
	group *loop.Group
}

// EngineOptions configure an [Engine]. Nil means all defaults.
type EngineOptions struct {
	// Loops is the number of event loops. Zero means GOMAXPROCS.
	Loops int
	// Goroutines serves each connection by goroutines instead of epoll, as
	// platforms other than Linux do anyway. It is for tests in virtual time.
	Goroutines bool
	// Log hears of handlers that hold up a loop. Nil means slog.Default().
	Log *slog.Logger
}

// NewEngine starts an engine. Close ends it.
func NewEngine(o *EngineOptions) (*Engine, error) {
	if o == nil {
		o = &EngineOptions{}
	}
	p := loop.Auto
	if o.Goroutines {
		p = loop.Goroutines
	}
	g, err := loop.New(&loop.Options{Loops: o.Loops, Poller: p, Log: o.Log})
	if err != nil {
		return nil, fmt.Errorf("longwire: starting the engine: %w", err)
	}
	return &Engine{group: g}, nil
}

// Close closes the engine's connections with going_away, gives them until ctx
// ends to flush, cuts the rest and waits for handlers to return. The transports that use the
// engine should have been shut down before.
func (e *Engine) Close(ctx context.Context) error { return e.group.Close(ctx) }

// Links returns the number of open connections.
func (e *Engine) Links() int { return e.group.Socks() }

// Loops is for the transports of this module.
func (e *Engine) Loops() *loop.Group { return e.group }

var shared = sync.OnceValue(func() *Engine {
	e, err := NewEngine(nil)
	if err != nil {
		panic(err) // no descriptors at the very start: nothing can be served
	}
	return e
})

// Or returns e, or the shared engine if e is nil.
func (e *Engine) Or() *Engine {
	if e == nil {
		return shared()
	}
	return e
}
