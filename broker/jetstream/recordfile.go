package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// recordName is the record's file in a data directory.
const recordName = "longwire.json"

// A recordFile is the keeper of the server inside: a file in the data directory, whose one
// writer is this process.
type recordFile struct{ dir string }

func (k recordFile) load(context.Context) (*record, error) {
	b, err := os.ReadFile(filepath.Join(k.dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("jetstream: the record of the data: %w", err)
	}
	return parseRecord(b)
}

// store replaces the file in one step, and returns when it is on the disk.
func (k recordFile) store(_ context.Context, r *record) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = replaceFile(k.dir, recordName, append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("jetstream: the record of the data cannot be written: %w", err)
	}
	return nil
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
