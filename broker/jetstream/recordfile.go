package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// recordName is the record's file in a data directory.
const recordName = "longwire.json"

// A recordFile is the keeper of the server inside: a file in the data directory, whose one
// writer is this process.
type recordFile struct{ dir string }

func (k recordFile) load(context.Context) (*record, error)    { return loadRecord(k.dir) }
func (k recordFile) store(_ context.Context, r *record) error { return storeRecord(k.dir, r) }

// loadRecord reads the record of a data directory; nil if there is none.
func loadRecord(dir string) (*record, error) {
	b, err := os.ReadFile(filepath.Join(dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("jetstream: the record of the data cannot be read: %w; let this user read it, or name another directory with --data", err)
	}
	return parseRecord(b)
}

// storeRecord replaces the record in one step, and returns when it is on the disk.
func storeRecord(dir string, r *record) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = replaceFile(dir, recordName, append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("jetstream: the record of the data cannot be written: %w; make room on its disk, or let this user write there", err)
	}
	return nil
}

// clearHalf removes what a process left that was killed while it wrote the record, or while a backup was made.
func clearHalf(dir string) {
	entries, _ := os.ReadDir(dir) // whoever reads the record says what is wrong
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), recordName+".") || strings.HasPrefix(e.Name(), snapshotPrefix) {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

func replaceFile(dir, name string, b []byte) error {
	f, err := os.CreateTemp(dir, name+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(dir)
}

// syncDir has the directory itself on the disk. Not every system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
