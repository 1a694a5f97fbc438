package jetstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/longwire/longwire/wire"
)

// A snapshot is a folder in the data directory that has what there was at one moment, for a backup to copy while
// the broker goes on. It is made of second names of the files, which costs no room, while nothing is sent to the
// store: what is published meanwhile waits for some milliseconds.
//
// Why not the server's own snapshots: they read one publication after the other while others are published and
// dropped, so what was dropped before it was read is missing in their midst, and nothing tells that.
//
// Who wants one asks at a socket in the directory, so the directory's permissions say who may. It is there until
// who asked closes the connection.
type desk struct {
	b  *Broker
	ln net.Listener

	mu sync.Mutex
	// Guarded by mu.
	busy   net.Conn // who has a snapshot; there is one at a time
	closed bool
}

const (
	deskName       = "control"
	snapshotPrefix = "snapshot-"
	snapshotTime   = 10 * time.Second // for what is on its way
	deskTime       = 5 * time.Second  // for who is connected to say what he wants
)

// openDesk begins to listen. Close waits for its goroutines.
func (b *Broker) openDesk() {
	path := filepath.Join(b.opts.Dir, deskName)
	_ = os.Remove(path) // nobody else has the directory
	ln, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		b.log.Warn("jetstream: no backup can be made while this process runs; a shorter name of the data directory may help", "err", err)
		return
	}
	b.desk = &desk{b: b, ln: ln}
	b.wg.Go(b.desk.serve)
}

// close ends it, and who has a snapshot.
func (d *desk) close() {
	if d == nil {
		return
	}
	_ = d.ln.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.busy != nil {
		_ = d.busy.Close()
	}
}

// enter lets one in.
func (d *desk) enter(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy != nil || d.closed {
		return false
	}
	d.busy = c
	return true
}

func (d *desk) serve() {
	for {
		c, err := d.ln.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				d.b.log.Error("jetstream: no backup can be made any more while this process runs", "err", err)
			}
			return
		}
		if !d.enter(c) {
			_, _ = fmt.Fprintln(c, "another backup is under way; wait for its end")
			_ = c.Close()
			continue
		}
		d.b.wg.Go(func() { d.attend(c) })
	}
}

// attend answers with the name of a snapshot, or with what is wrong.
func (d *desk) attend(c net.Conn) {
	defer func() {
		d.mu.Lock()
		d.busy = nil
		d.mu.Unlock()
		_ = c.Close() // who asked waits for it, and may ask again
	}()
	_ = c.SetReadDeadline(time.Now().Add(deskTime))
	in := bufio.NewReaderSize(c, 64)
	if word, err := in.ReadString('\n'); err != nil || word != "snapshot\n" {
		return
	}
	ctx, cancel := context.WithTimeout(d.b.ctx, snapshotTime)
	defer cancel()
	name, err := d.b.snapshot(ctx)
	if name != "" {
		defer os.RemoveAll(filepath.Join(d.b.opts.Dir, name))
	}
	if err != nil {
		_, _ = fmt.Fprintln(c, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	if _, err := fmt.Fprintln(c, name); err != nil {
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	_, _ = in.ReadByte() // until it is closed
}

// snapshot makes a snapshot and returns its name.
func (b *Broker) snapshot(ctx context.Context) (name string, err error) {
	dir, err := os.MkdirTemp(b.opts.Dir, snapshotPrefix)
	if err != nil {
		return "", fmt.Errorf("the snapshot cannot be made: %w", err)
	}
	name = filepath.Base(dir)
	b.sending.Lock()
	defer b.sending.Unlock()
	for _, p := range b.parts {
		for !p.quiet() {
			select {
			case <-ctx.Done():
				return name, wire.Errorf(wire.CodeUnavailable, "the store does not answer; try again")
			case <-time.After(time.Millisecond):
			}
		}
	}
	files, err := storeFiles(b.opts.Dir)
	if err != nil {
		return name, err
	}
	written := map[string]bool{} // folders of which the block that is written to is there
	for _, path := range files {
		folder := filepath.Dir(path)
		err := b.take(dir, path, isBlock(path) && !written[folder])
		if errors.Is(err, fs.ErrNotExist) && isBlock(path) {
			continue // too old by now
		}
		if err != nil {
			return name, fmt.Errorf("the snapshot cannot be made: %w", err)
		}
		written[folder] = written[folder] || isBlock(path)
	}
	// The record comes last: what was forgotten meanwhile is known to be.
	r := b.record.Load().clone()
	r.Clean = nil
	return name, storeRecord(dir, r)
}

// take gives a file a second name, or copies it: because it is written to, or because the file system has no
// second names.
func (b *Broker) take(to, path string, written bool) error {
	from, to := filepath.Join(b.opts.Dir, path), filepath.Join(to, path)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if !written {
		if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_, err := copyFile(from, to, false)
	return err
}
