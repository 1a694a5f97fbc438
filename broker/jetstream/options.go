package jetstream

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// Options configure a [Broker]. One of Dir and URL is needed; all else has defaults.
type Options struct {
	// Dir is where the server inside the process keeps its files. It is made if it is
	// not there, and held by one process at a time.
	Dir string
	// Sync is how often what was written is forced to the disk: what the loss of power
	// may take. Zero means 1 s, negative before every acknowledgement. For Dir only.
	Sync time.Duration

	// URL is where a NATS server or cluster with JetStream is to be found: one or more
	// addresses, with commas between them. All nodes that name the same one share what is
	// published. NATS 2.11 is needed, 2.12.6 or newer is better.
	URL string
	// Credentials is a file with the user's JWT and key, for URL; empty means none.
	Credentials string
	// TLS is for URL; nil means what the URL's scheme says.
	TLS *tls.Config
	// Replicas is how many servers of the cluster keep each publication: 1, 3 or 5.
	// Zero means 1.
	Replicas int

	// Classes say how much history channels have. Nil means one with all defaults.
	Classes []longwire.Class
	// Partitions is how many each class has; it cannot be changed later. Zero means what the
	// data has, of new data 1 with Dir and 8 with URL.
	Partitions int

	// KeyWindow is how long a key is remembered, at most the shortest age of all classes.
	// Zero means 2 minutes.
	KeyWindow time.Duration
	// MaxMessage bounds the data of a publication, in bytes. Zero means 1 MiB.
	MaxMessage int

	// Log hears of what goes wrong. Nil means slog.Default().
	Log *slog.Logger

	prefix string                                          // of the names of streams and subjects; empty means "lw"
	space  func(dir string) (free, size uint64, err error) // tests have another
	wrote  func(stream string) error                       // tests have one; nil asks the server
}

const (
	syncEvery  = time.Second
	keyWindow  = 2 * time.Minute
	partitions = 8 // of each class, in a cluster
)

// filled returns the options with their defaults.
func (o Options) filled() Options {
	if o.Sync == 0 {
		o.Sync = syncEvery
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.KeyWindow <= 0 {
		o.KeyWindow = keyWindow
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = wire.MaxMessage
	}
	if o.space == nil {
		o.space = space
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.prefix == "" {
		o.prefix = "lw"
	}
	return o
}

// stream returns the name of a partition's stream.
func (o *Options) stream(class string, partition int) string {
	return fmt.Sprintf("%s%s-%d", o.streams(), class, partition)
}

// streams returns what begins the names of partitions' streams.
func (o *Options) streams() string { return strings.ToUpper(o.prefix) + "-" }

// subject returns what begins the subjects of a partition. A channel's name is what follows: its
// tokens are tokens of NATS, and so are the wildcards of patterns.
func (o *Options) subject(class string, partition int) string {
	return fmt.Sprintf("%s.%s.%d.", o.prefix, class, partition)
}

// liveSubject returns what begins the subjects of channels without history. No stream has them.
func (o *Options) liveSubject() string { return o.prefix + "-live." }

// payload is the most that one publication is for NATS: its data, and what is said of it.
func (o *Options) payload() int32 { return int32(min(o.MaxMessage+maxHead+1024, 64<<20)) }
