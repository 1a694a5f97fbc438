package longwire

import (
	"log/slog"
	"time"
)

// Options configure a [Node]. Nil means all defaults.
type Options struct {
	// Handler is the program's hooks.
	Handler Handler
	// Open lets everything pass that has no hook: whoever connects may subscribe to
	// everything and publish everywhere. Without it what has no hook is as [Handler] says.
	Open bool

	// Broker carries publications. Nil means a memory broker of the node's own.
	Broker Broker
	// Engine is where sessions live. Nil means the shared one.
	Engine *Engine

	// ResumeWindow is how long a session without a link waits for its peer to come
	// back. Zero means 30 s, negative ends sessions with their links.
	ResumeWindow time.Duration
	// MaxMessage bounds the data of a publication or call, in bytes. Zero means 1 MiB.
	MaxMessage int
	// MaxSubscriptions bounds a session's subscriptions. Zero means 1,024.
	MaxSubscriptions int
	// Rate bounds the frames that a session may send in a second, and ten times
	// that at once... Zero means 10,000, negative is no bound.
	Rate int

	// AllowOrigin lists the origins of pages that may use [Node.Handler] from another host,
	// as docs/protocol.md, section 2.5 says. Empty means the pages of the host itself.
	AllowOrigin []string

	// Log hears of what goes wrong. Nil means slog.Default().
	Log *slog.Logger
}

// A Node is one process: its sessions and their subscriptions.
type Node struct {
	opts Options
}
