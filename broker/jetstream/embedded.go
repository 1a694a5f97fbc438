package jetstream

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/longwire/longwire/wire"
)

// An embedded server is a NATS server inside the process. It listens nowhere: what
// talks to it does so through memory. It can be started again in place, which
// connections see as the loss of one and reconnect by themselves.
type embedded struct {
	// Immutable.
	dir  string
	opts *server.Options
	log  *slog.Logger
	held *os.File // the lock

	mu sync.Mutex
	s  *server.Server // guarded by mu; nil while it is down
}

// startTime is how long a server may take to be ready: it looks through what it has.
const startTime = 5 * time.Minute

// newEmbedded takes the directory, which is made if it is not there.
func newEmbedded(o *Options) (*embedded, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("jetstream: the data directory cannot be made: %w; name another with --data, or keep nothing with --data memory", err)
	}
	held, err := hold(filepath.Join(o.Dir, lockName))
	if err != nil {
		return nil, err
	}
	e := &embedded{
		dir: o.Dir, log: o.Log, held: held,
		opts: &server.Options{
			ServerName: "longwire", DontListen: true, NoSigs: true, NoSystemAccount: true,
			JetStream: true, StoreDir: o.Dir, SyncInterval: max(o.Sync, 0), SyncAlways: o.Sync < 0,
			MaxPayload: o.payload(), MaxPending: 256 << 20,
			JetStreamMaxStore: 1 << 50, JetStreamMaxMemory: 1 << 50, // streams have bounds of their own
		},
	}
	if e.opts.SyncAlways {
		e.opts.SyncInterval = 2 * time.Minute
	}
	return e, nil
}

func (e *embedded) start() error {
	s, err := server.NewServer(e.opts)
	if err != nil {
		return fmt.Errorf("jetstream: the server inside cannot be made: %w", err)
	}
	s.SetLoggerV2(&natsLog{e.log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(startTime) || !s.JetStreamEnabled() {
		s.Shutdown()
		return errors.New("jetstream: the server inside does not come up; its words are in the log, with --log debug more of them")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.s = s
	return nil
}

func (e *embedded) stop() {
	e.mu.Lock()
	s := e.s
	e.s = nil
	e.mu.Unlock()
	if s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// down returns why there is no store, nil if there is one.
func (e *embedded) down() error {
	e.mu.Lock()
	s := e.s
	e.mu.Unlock()
	switch {
	case s == nil:
		return errDown
	case !s.JetStreamEnabled():
		return errors.New("the server has given up its store")
	}
	return nil
}

// wrote returns the error that the server had when it last could not store a publication, nil if it had none.
func (e *embedded) wrote(stream string) error {
	e.mu.Lock()
	s := e.s
	e.mu.Unlock()
	if s == nil {
		return nil
	}
	// It also tells of what passes, such as a stream that is just being made.
	h := s.Healthz(&server.HealthzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Stream: stream})
	if strings.Contains(h.Error, "write error") {
		return errors.New(h.Error)
	}
	return nil
}

func (e *embedded) close() {
	e.stop()
	_ = e.held.Close()
}

var errDown = wire.Errorf(wire.CodeUnavailable, "the store is away, or being started again; try again")

// InProcessConn makes a connection to the server that there is now.
func (e *embedded) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	s := e.s
	e.mu.Unlock()
	if s == nil {
		return nil, errDown
	}
	return s.InProcessConn()
}

// lockName is the file that the process which has a data directory holds.
const lockName = "lock"

// hold takes the lock of a data directory.
func hold(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("jetstream: the data directory cannot be written: %w; name another with --data", err)
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		return nil, &heldError{filepath.Dir(path)}
	}
	return f, nil
}

// A heldError says that another process has a data directory.
type heldError struct{ dir string }

func (e *heldError) Error() string {
	return "jetstream: the data directory " + e.dir + " is held by another process; end that, or name another directory with --data"
}

// natsLog is what the server inside says, in our log. Its notices are of no use to
// anybody but who looks for a fault.
type natsLog struct{ log *slog.Logger }

func (l *natsLog) say(level slog.Level, format string, v ...any) {
	l.log.Log(nil, level, "nats: "+strings.TrimSpace(fmt.Sprintf(format, v...))) //nolint:staticcheck // there is no context
}

func (l *natsLog) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v...) }
func (l *natsLog) Warnf(format string, v ...any)   { l.say(slog.LevelWarn, format, v...) }
func (l *natsLog) Fatalf(format string, v ...any)  { l.say(slog.LevelError, format, v...) }
func (l *natsLog) Errorf(format string, v ...any)  { l.say(slog.LevelError, format, v...) }
func (l *natsLog) Debugf(format string, v ...any)  { l.say(slog.LevelDebug-4, format, v...) }
func (l *natsLog) Tracef(format string, v ...any)  { l.say(slog.LevelDebug-4, format, v...) }
