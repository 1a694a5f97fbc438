package park

import (
	"fmt"
	"log/slog"
	"maps"
	"sync"
)

// unparked counts, for the whole process, the connections that could not be
// parked, by the reason, of which there are few. Each reason is logged once:
// most of them can be mended.
var unparked struct {
	mu     sync.Mutex
	counts map[string]int64
}

// Unparked returns how many connections were not parked and so cost
// goroutines, by the reason.
func Unparked() map[string]int64 {
	unparked.mu.Lock()
	defer unparked.mu.Unlock()
	return maps.Clone(unparked.counts)
}

const (
	reasonHTTP2      = "HTTP/2 streams share one connection"
	reasonNoHijack   = "a middleware's ResponseWriter cannot be hijacked; give it an Unwrap method"
	reasonForeignTLS = "TLS lies on a foreign listener; wrap that with longwire.WrapListener beneath tls.NewListener"
	reasonForeign    = "only the connections of a TCP listener have a descriptor to park; this is a "
)

func countUnparked(reason string) {
	unparked.mu.Lock()
	if unparked.counts == nil {
		unparked.counts = make(map[string]int64)
	}
	unparked.counts[reason]++
	first := unparked.counts[reason] == 1
	unparked.mu.Unlock()
	if first {
		slog.Info("park: a connection keeps its goroutines", slog.String("reason", reason))
	}
}

func notParkable(reason string) error {
	countUnparked(reason)
	return fmt.Errorf("%w: %s", ErrNotParkable, reason)
}
