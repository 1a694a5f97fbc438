package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/broker/jetstream"
	"github.com/longwire/longwire/wire"
)

// Store says where what is published is kept, and for how long.
type Store struct {
	// Data is the directory. Empty or "memory" keeps it in memory: it ends with the process.
	Data string
	// NATS is the URL of a NATS server or cluster, instead of a directory: nodes that
	// name the same one share what is published. NATSCreds is a file with credentials
	// for it, NATSReplicas how many of its servers keep each publication, zero meaning 1.
	NATS         string
	NATSCreds    string
	NATSReplicas int
	// Sync is how often what was written to Data is forced to the disk; zero means 1 s, negative
	// before every answer.
	Sync time.Duration
	// Partitions of each retention class; zero means what the data has, or 1, with NATS 8.
	Partitions int
	// HistoryCount is how many publications are kept of each channel that no class
	// takes; zero means 1,000, negative none. HistoryAge is for how long; zero means
	// 24 h, negative for ever. HistoryBytes bounds what a partition of them takes; zero means
	// 1 GiB, negative is no bound.
	HistoryCount int
	HistoryAge   time.Duration
	HistoryBytes int64
	// Classes are for the channels that match their patterns, the first one that does.
	Classes []Class
}

// A Class is a retention class.
type Class = longwire.Class

// A Policy says what becomes of publications for whom is behind.
type Policy = longwire.Policy

// inMemory reports whether nothing is kept beyond the process.
func (o *Store) inMemory() bool { return o.NATS == "" && (o.Data == "" || o.Data == "memory") }

// check reports what makes no sense.
func (o *Store) check() error {
	switch {
	case o.NATS != "" && o.Data != "":
		return usage("--data and --nats are two places for what is published; name one of them")
	case o.NATS == "" && o.NATSCreds != "":
		return usage("--nats-creds is for --nats, which says where the server is")
	case o.NATS == "" && o.NATSReplicas != 0:
		return usage("--nats-replicas is for --nats, which says where the cluster is")
	case !slices.Contains([]int{0, 1, 3, 5}, o.NATSReplicas):
		return usage("--nats-replicas %d cannot be; 1, 3 or 5 servers keep each publication", o.NATSReplicas)
	case o.NATS != "" && o.Sync != 0:
		return usage("--sync is for --data; leave it out with --nats: the NATS server's own configuration says how often it syncs (sync_interval)")
	case o.inMemory() && o.Sync != 0:
		return usage("--sync is for a data directory; leave it out with --data memory, which writes nothing to the disk, or name a directory")
	}
	for _, c := range o.classes() {
		if err := checkRoom(&c); err != nil {
			return err
		}
	}
	return nil
}

// What a class with history has at least: the age is JetStream's; the bytes are room for the largest
// publication there can be, and for another one, because without it every publication would be refused or drop
// the one before.
const (
	leastAge   = 100 * time.Millisecond
	leastBytes = 2 * wire.MaxMessage
)

// checkRoom reports a class in which nothing could be kept, and that does not say so.
func checkRoom(c *Class) error {
	switch {
	case !c.KeepsHistory():
	case c.Age > 0 && c.Age < leastAge:
		return usage("retention class %s keeps its publications for %v, and the least is %v; give it more, or a count of 0 for no history", c.Name, c.Age, leastAge)
	case c.Bytes > 0 && c.Bytes < leastBytes:
		return usage("retention class %s has room for %d bytes, and the least is 2MiB, because one publication may take half of that; give it more, 0 for no bound, or a count of 0 for no history", c.Name, c.Bytes)
	}
	return nil
}

// classes returns all classes: those that were given, and one for all else.
func (o *Store) classes() []Class {
	all := append([]Class(nil), o.Classes...)
	return append(all, Class{Name: "default", Count: o.HistoryCount, Age: o.HistoryAge, Bytes: o.HistoryBytes})
}

// broker opens the store.
func (o *Store) broker(ctx context.Context, log *slog.Logger) (longwire.Broker, error) {
	if _, err := longwire.NewLayout(o.classes(), max(o.Partitions, 1)); err != nil {
		return nil, usageOf(err)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.inMemory() {
		return longwire.NewMemory(&longwire.MemoryOptions{Classes: o.classes(), Partitions: o.Partitions}), nil
	}
	began := time.Now()
	b, err := jetstream.Open(ctx, &jetstream.Options{
		Dir: o.Data, Sync: o.Sync,
		URL: o.NATS, Credentials: o.NATSCreds, Replicas: o.NATSReplicas,
		Classes: o.classes(), Partitions: o.Partitions, Log: log,
	})
	if err != nil {
		return nil, usageOf(err)
	}
	where := slog.String("data", o.Data)
	if o.NATS != "" {
		where = slog.String("nats", b.Where())
	}
	log.Info("keeping what is published", where, slog.Duration("opened", time.Since(began).Round(time.Millisecond)))
	return b, nil
}

// usageOf makes of what options make no sense a *UsageError.
func usageOf(err error) error {
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Code == wire.CodeBadRequest {
		return &UsageError{e.Text()}
	}
	return err
}

// Copied says what a backup or its restoring has copied.
type Copied = jetstream.Copied

// Backup copies a data directory, also of a server that runs.
func Backup(ctx context.Context, data, to string) (Copied, error) {
	return jetstream.Backup(ctx, data, to)
}

// Restore makes a data directory of a backup.
func Restore(ctx context.Context, from, data string) (Copied, error) {
	return jetstream.Restore(ctx, from, data)
}
