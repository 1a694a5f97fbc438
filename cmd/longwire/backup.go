package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"os"

	"github.com/longwire/longwire/internal/server"
)

// backupCmd copies a data directory. A server may run on it and goes on meanwhile; the same user
// may ask it, and nobody else.
type backupCmd struct {
	Dir string `arg:"" help:"The server's data directory."`
	To  string `arg:"" help:"Where to copy it: a directory that is empty or not there."`
}

// Run is called by kong.
func (c *backupCmd) Run() error { return copyData(server.Backup, c.Dir, c.To) }

// restoreCmd makes a data directory of a backup.
type restoreCmd struct {
	From string `arg:"" help:"The backup."`
	Dir  string `arg:"" help:"The data directory to be: one that is empty or not there."`
}

// Run is called by kong.
func (c *restoreCmd) Run() error { return copyData(server.Restore, c.From, c.Dir) }

// copyData says how much was copied. A signal ends it, and what is there then is no backup.
func copyData(do func(ctx context.Context, from, to string) (server.Copied, error), from, to string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	n, err := do(ctx, from, to)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d files, %d bytes\n", to, n.Files, n.Bytes)
	return nil
}
