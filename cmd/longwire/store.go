package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/longwire/longwire/internal/server"
)

// store returns what the flags say of keeping what is published.
func (c *serveCmd) store() (server.Store, error) {
	s := server.Store{
		Data: c.Data, Sync: time.Duration(c.Sync), Partitions: c.Partitions,
		NATS: c.NATS, NATSCreds: c.NATSCreds, NATSReplicas: c.NATSReplicas,
		HistoryCount: orNever(c.HistoryCount), HistoryAge: orNever(c.HistoryAge), HistoryBytes: int64(orNever(c.HistoryBytes)),
		Classes: c.History,
	}
	if s.Data != "" || s.NATS != "" {
		return s, nil
	}
	state, err := stateDir()
	s.Data = filepath.Join(state, "longwire")
	return s, err
}

func misuse(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// stateDir returns where programs keep what they want to have again, as the XDG Base Directory
// Specification and systemd (STATE_DIRECTORY) say.
func stateDir() (string, error) {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("there is no directory to keep what is published in; name one with --data DIR, or keep nothing with --data memory")
	}
	return filepath.Join(home, ".local", "state"), nil
}

// leastSync is less than a disk takes to sync: more often is always.
const leastSync = 10 * time.Millisecond

// A syncEvery is a duration, or "always", which is negative.
type syncEvery time.Duration

// UnmarshalText reads a flag's value.
func (s *syncEvery) UnmarshalText(text []byte) error {
	if string(text) == "always" {
		*s = -1
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < leastSync {
		return fmt.Errorf("%q is no time to the next sync; write a duration such as 1s, not less than %v, or always", text, leastSync)
	}
	*s = syncEvery(d)
	return nil
}
