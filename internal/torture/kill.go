package torture

import (
	"context"
	"time"
)

// kills kills the server at random moments: mostly while it serves, now and then while it starts.
func (l *lap) kills(ctx context.Context) error {
	for range l.o.Kills {
		up := 100*time.Millisecond + time.Duration(l.rng.Int64N(int64(l.o.Uptime)))
		if l.rng.IntN(6) == 0 {
			up /= 6
		} else if err := l.srv.ready(ctx); err != nil {
			return err
		}
		if err := l.wait(ctx, up); err != nil {
			return err
		}
		if err := l.restart(ctx); err != nil {
			return err
		}
	}
	return l.srv.ready(ctx)
}

// restart kills the server and starts it again.
func (l *lap) restart(ctx context.Context) error {
	if err := l.srv.kill(); err != nil {
		return err
	}
	l.h.Record(Event{Kind: Killed, Who: "driver"})
	l.tally.killed()
	if err := l.wait(ctx, time.Duration(l.rng.IntN(300))*time.Millisecond); err != nil {
		return err
	}
	return l.start(ctx)
}

// start starts the server.
func (l *lap) start(context.Context) error {
	l.h.Record(Event{Kind: Started, Who: "driver"})
	return l.srv.start()
}

// wait waits, and looks whether something has gone wrong meanwhile.
func (l *lap) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}
