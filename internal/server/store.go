package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/broker/jetstream"
	"github.com/longwire/longwire/wire"
)

// Store says where what is published is kept, and for how long.
type Store struct {
	// Data is the directory. Empty or "memory" keeps it in memory: it ends with the process.
	Data string
	// Sync is how often what was written is forced to the disk; zero means 1 s, negative
	// before every answer.
	Sync time.Duration
	// Partitions of each retention class; zero means what the data has, or 1.
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

// inMemory reports whether nothing is kept beyond the process.
func (o *Store) inMemory() bool { return o.Data == "" || o.Data == "memory" }

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
	if o.inMemory() {
		return longwire.NewMemory(&longwire.MemoryOptions{Count: o.HistoryCount, Age: o.HistoryAge, Bytes: o.HistoryBytes}), nil
	}
	began := time.Now()
	b, err := jetstream.Open(ctx, &jetstream.Options{Dir: o.Data, Sync: o.Sync, Classes: o.classes(), Partitions: o.Partitions, Log: log})
	if err != nil {
		return nil, usageOf(err)
	}
	log.Info("keeping what is published", slog.String("data", o.Data), slog.Duration("opened", time.Since(began).Round(time.Millisecond)))
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
