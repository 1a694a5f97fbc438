package jetstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Copied says what a backup or its restoring has copied.
type Copied struct {
	Files int
	Bytes int64
}

// Backup copies the data directory dir to the directory to, which must not be there or be empty. A process
// that has dir may run on: then it is what there was at one moment after Backup was called. All that was
// acknowledged before is in it. Without an error it is on the disk, with one nothing is left of it.
func Backup(ctx context.Context, dir, to string) (Copied, error) {
	if _, err := recordOf(dir, "no data directory"); err != nil {
		return Copied{}, err
	}
	if err := apart(dir, to); err != nil {
		return Copied{}, err
	}
	if err := makeEmpty(to); err != nil {
		return Copied{}, err
	}
	held, err := hold(filepath.Join(dir, lockName))
	if err == nil {
		defer held.Close()
		return copyData(ctx, dir, to)
	}
	if _, ok := errors.AsType[*heldError](err); !ok {
		return Copied{}, err
	}
	name, done, err := askForSnapshot(ctx, dir)
	if err != nil {
		return Copied{}, err
	}
	defer done()
	return copyData(ctx, filepath.Join(dir, name), to)
}

// Restore copies a backup to the data directory dir, which must not be there or be empty. It begins a new
// epoch: positions from before the backup go on there, those from after it are followed by a gap.
func Restore(ctx context.Context, from, dir string) (Copied, error) {
	if _, err := recordOf(from, "no backup, or one that was not finished"); err != nil {
		return Copied{}, err
	}
	if _, err := os.Stat(filepath.Join(from, lockName)); err == nil { // it is a data directory
		held, err := hold(filepath.Join(from, lockName))
		if err != nil {
			return Copied{}, fmt.Errorf("%w; or make a backup of it first (longwire backup)", err)
		}
		defer held.Close()
	}
	if err := apart(from, dir); err != nil {
		return Copied{}, err
	}
	if err := makeEmpty(dir); err != nil {
		return Copied{}, err
	}
	held, err := hold(filepath.Join(dir, lockName)) // nobody begins in it meanwhile
	if err != nil {
		return Copied{}, err
	}
	defer held.Close()
	n, err := copyData(ctx, from, dir)
	if err != nil {
		_ = os.Remove(filepath.Join(dir, lockName)) // so that the directory is empty again
	}
	return n, err
}

// recordOf returns the record of a directory, which is something else if there is none.
func recordOf(dir, otherwise string) (*record, error) {
	r, err := loadRecord(dir)
	if errors.Is(err, syscall.ENOTDIR) {
		err = nil
	}
	if err == nil && r == nil {
		err = fmt.Errorf("jetstream: %s is %s; there is no %s in it", dir, otherwise, recordName)
	}
	return r, err
}

// makeEmpty makes a directory that has nothing in it.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("jetstream: %w; name another directory", err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("jetstream: %w; name another directory", err)
	}
	if len(list) > 0 {
		return fmt.Errorf("jetstream: %s is not empty; name a directory that is, or one that is not there", dir)
	}
	return nil
}

// askForSnapshot asks the process that has a directory. The snapshot is there until done is called.
func askForSnapshot(ctx context.Context, dir string) (name string, done func(), err error) {
	c, err := dialDesk(ctx, dir)
	if err != nil {
		return "", nil, fmt.Errorf("jetstream: the process that has %s cannot be asked (%w); try again if it is starting or ending, or make the backup when it has ended", dir, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	done = func() {
		stop()
		_ = c.CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(deskTime))
		_, _ = c.Read(make([]byte, 1)) // until the snapshot is gone
		_ = c.Close()
	}
	if _, err = fmt.Fprintln(c, "snapshot"); err == nil {
		name, err = bufio.NewReader(c).ReadString('\n')
	}
	name = strings.TrimSpace(name)
	switch {
	case err != nil:
		err = fmt.Errorf("jetstream: the process that has %s did not answer (%w); try again", dir, err)
	case !strings.HasPrefix(name, snapshotPrefix) || name != filepath.Base(name):
		err = errors.New("jetstream: " + name)
	}
	if err != nil {
		done()
	}
	return name, done, err
}

func dialDesk(ctx context.Context, dir string) (*net.UnixConn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, deskName))
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// copyData copies what must be kept. The record comes last: without it a copy is none.
func copyData(ctx context.Context, from, to string) (n Copied, err error) {
	r, err := recordOf(from, "no snapshot any more")
	if err != nil {
		return n, err
	}
	files, err := storeFiles(from)
	if err != nil {
		return n, fmt.Errorf("jetstream: %w", err)
	}
	folders := map[string]bool{}
	var made []string
	defer func() {
		if err != nil {
			undo(to, made, folders)
		}
	}()
	for _, path := range files {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		for folder := filepath.Dir(path); folder != "."; folder = filepath.Dir(folder) {
			folders[folder] = true
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(path)), 0o700); err != nil {
			return n, fmt.Errorf("jetstream: copying: %w; nothing is left of it: mend that, and try again", err)
		}
		size, err := copyFile(filepath.Join(from, path), filepath.Join(to, path), true)
		if err != nil {
			return n, fmt.Errorf("jetstream: copying: %w; nothing is left of it: mend that, and try again", err)
		}
		made = append(made, path)
		n.Files++
		n.Bytes += size
	}
	for folder := range folders {
		if err := syncDir(filepath.Join(to, folder)); err != nil {
			return n, fmt.Errorf("jetstream: %w", err)
		}
	}
	r.Clean = nil // so whoever opens it begins an epoch
	return n, storeRecord(to, r)
}

// undo removes the files of a copy that has failed, and the folders that are empty then. What others made is
// left alone.
func undo(to string, made []string, folders map[string]bool) {
	for _, path := range made {
		_ = os.Remove(filepath.Join(to, path))
	}
	for _, folder := range slices.Backward(slices.Sorted(maps.Keys(folders))) { // what is in it comes before it
		_ = os.Remove(filepath.Join(to, folder))
	}
}

// copyFile copies a file that is not there yet, and forces it to the disk if that is wanted.
func copyFile(from, to string, sync bool) (int64, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(0o600))
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, in)
	if err == nil && sync {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(to)
	}
	return n, err
}
