package jetstream

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What is known here of the server's files: below its folder there is one for each stream; what is published is in
// its blocks, msgs/N.blk. Only the last block is written to, at its end; others are replaced or removed as a
// whole. All else but the configuration (meta.inf, meta.sum) can be made anew from them, as after a crash.

// storeName is the server's folder in a data directory.
const storeName = "jetstream"

// storeFiles returns the files of a data directory that must be kept, by their paths in it: of each folder the
// newest blocks first, so that what is dropped while somebody goes through them is missing at the front only.
func storeFiles(dir string) (list []string, err error) {
	err = filepath.WalkDir(filepath.Join(dir, storeName), func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // dropped meanwhile, or there is no store yet
		case err != nil:
			return err
		case d.Type().IsRegular() && (isBlock(d.Name()) || strings.HasPrefix(d.Name(), "meta.")):
			path, err = filepath.Rel(dir, path)
			list = append(list, path)
		}
		return err
	})
	slices.SortStableFunc(list, func(a, b string) int {
		if c := strings.Compare(filepath.Dir(a), filepath.Dir(b)); c != 0 {
			return c
		}
		return blockNumber(b) - blockNumber(a)
	})
	return list, err
}

func isBlock(name string) bool { return strings.HasSuffix(name, ".blk") }

// blockNumber returns which block a file is; zero if it is none.
func blockNumber(path string) (n int) {
	_, _ = fmt.Sscanf(filepath.Base(path), "%d.blk", &n)
	return n
}

// syncBlocks has all blocks on the disk. The server does not do that at its end.
func syncBlocks(dir string) error {
	list, err := storeFiles(dir)
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	for _, path := range list {
		f, err := os.OpenFile(filepath.Join(dir, path), os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("jetstream: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("jetstream: what is kept cannot be forced to the disk: %w", err)
		}
	}
	return nil
}
