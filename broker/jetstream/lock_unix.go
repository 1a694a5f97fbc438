//go:build unix

package jetstream

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes a file for this process; the system gives it back when that ends, however it ends.
func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// space returns how much room a directory's file system has, and how large it is.
func space(dir string) (free, size uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}
