package jetstream

import (
	"fmt"
	"os"
	"path/filepath"
)

// apart refuses a target that is the directory to be copied, or lies in it: the copy would be part of what is
// copied, and of each copy after that. Where a directory is, its file says and not its name, because links and
// mounts give it several.
func apart(dir, to string) error {
	what, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	at := unlinked(to)
	for {
		if on, err := os.Stat(at); err == nil && os.SameFile(on, what) {
			return fmt.Errorf("jetstream: %s is in %s, which is to be copied; name a directory outside of that", to, dir)
		}
		up := filepath.Dir(at)
		if up == at {
			return nil
		}
		at = up
	}
}

// unlinked returns a path without links, as far as there is something at it.
func unlinked(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for at, rest := path, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if r, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(r, rest)
		}
		if at == filepath.Dir(at) {
			return path
		}
	}
}
