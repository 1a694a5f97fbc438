package jetstream

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// onSmallDisk runs a test in a directory that is a disk of a few bytes. It is mounted in a process of its own
// that nobody else sees the mounts of, so nothing is left, and nobody need be root.
func onSmallDisk(t *testing.T, bytes int, test func(t *testing.T, dir string)) {
	t.Helper()
	if os.Getenv("LONGWIRE_TEST_MOUNTS") == "" {
		// The mounts of this process are to be its own: so the test runs in a child.
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "LONGWIRE_TEST_MOUNTS=own")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	test(t, dir)
}

// fill leaves so many bytes of a disk. It returns the file that takes the rest.
func fill(t *testing.T, dir string, left uint64) string {
	t.Helper()
	free, _, err := space(dir)
	if err != nil || free < left {
		t.Fatalf("%d bytes are free: %v", free, err)
	}
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(free-left)); err != nil {
		t.Fatal(err)
	}
	return name
}

// until publishes to a until that has a certain outcome, and returns how many were acknowledged.
func until(t *testing.T, b *Broker, want wire.Code) (n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		_, err := publish(t, b, &longwire.Publication{Channel: "a", Data: []byte("x")})
		if err == nil {
			n++
		}
		if wire.CodeOf(err) == want || want == "" && err == nil {
			return n
		}
		if time.Now().After(deadline) {
			t.Fatalf("the last outcome is %v, want code %q", err, want)
		}
	}
}

// TestFullDisk: before a disk is full, publishing is refused; all else goes on, and so does that when there is room.
func TestFullDisk(t *testing.T) {
	onSmallDisk(t, 64<<20, func(t *testing.T, dir string) {
		b := open(t, &Options{Dir: filepath.Join(dir, "data"), Log: quiet, Classes: []longwire.Class{
			{Name: "live", Patterns: []string{"live"}, Count: -1}, {Name: "memory", Patterns: []string{"memory"}, Memory: true}, {Name: "default", Count: 1 << 20},
		}})
		n := until(t, b, "")
		filler := fill(t, dir, leastFree/8-(1<<20))
		n += until(t, b, wire.CodeNoSpace)
		if b.broken.Load() {
			t.Error("the store could not write")
		}
		for _, channel := range []string{"live", "memory"} { // they need no room
			if _, err := publish(t, b, &longwire.Publication{Channel: channel, Data: []byte("x")}); err != nil {
				t.Error(channel, err)
			}
		}
		if got := read(t, b, &longwire.Range{Partition: 2, Channels: []string{"a"}, Last: 1}); !strings.HasPrefix(got, fmt.Sprintf("%d:a=x", n)) {
			t.Errorf("%q is read, and %d were acknowledged", got, n)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		until(t, b, "")
	})
}

// TestBurstFillsNoDisk: what is accepted at once is not more than there is room for.
func TestBurstFillsNoDisk(t *testing.T) {
	onSmallDisk(t, 64<<20, func(t *testing.T, dir string) {
		b := open(t, &Options{Dir: filepath.Join(dir, "data"), Log: quiet})
		const many, atOnce = 200, 48
		room := make(chan struct{}, atOnce)
		outcomes := make(chan error, many)
		for range many {
			room <- struct{}{}
			b.Publish(&longwire.Publication{Channel: "a", Data: make([]byte, 1<<20)}, func(_ *longwire.Publication, err error) {
				outcomes <- err
				<-room
			})
		}
		var kept, refused int
		for range many {
			switch err := <-outcomes; {
			case err == nil:
				kept++
			case wire.CodeOf(err) == wire.CodeNoSpace:
				refused++
			default:
				t.Error(err)
			}
		}
		if err := b.sick(); kept < 20 || refused < 20 || err != nil {
			t.Errorf("%d were kept and %d refused; the store's health is %v", kept, refused, err)
		}
	})
}

// TestWriteFails: a store that could not write is started again when there is room. Nothing that was acknowledged
// is lost, and who follows hears all of it, once.
func TestWriteFails(t *testing.T) {
	onSmallDisk(t, 64<<20, func(t *testing.T, dir string) {
		var opened atomic.Pointer[Broker]
		b := open(t, &Options{Dir: filepath.Join(dir, "data"), Log: quiet, Classes: []longwire.Class{{Name: "default", Count: 1 << 20}},
			space: func(dir string) (uint64, uint64, error) {
				if b := opened.Load(); b != nil && b.sick() != nil {
					return space(dir)
				}
				return 1 << 40, 1 << 40, nil // somebody else fills the disk between two looks
			}})
		opened.Store(b)
		heard := make(chan uint64, 1<<20)
		ctx, cancel := context.WithCancel(t.Context())
		followed := make(chan error, 1)
		begun := make(chan struct{}, 8)
		go func() {
			followed <- b.Follow(ctx, func(f longwire.Feed) {
				if len(f.Publications) == 0 {
					begun <- struct{}{}
				}
				for _, p := range f.Publications {
					heard <- p.Number
				}
			})
		}()
		<-begun
		n := until(t, b, "")
		filler := fill(t, dir, 0)
		n += until(t, b, wire.CodeNoSpace)
		if !b.broken.Load() {
			t.Error("the store was not asked to write")
		}
		if got := numbers(t, b); !slices.Equal(got, upTo(n)) {
			t.Errorf("%d are read on a full disk, want %d", len(got), n)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		epoch := b.record.Load().epoch()
		n += until(t, b, "")
		if got := numbers(t, b); !slices.Equal(got, upTo(n)) {
			t.Errorf("%v are read, want all up to %d", got, n)
		}
		for i := range n {
			select {
			case number := <-heard:
				if number != uint64(i+1) {
					t.Fatalf("number %d is told, want %d", number, i+1)
				}
			case <-time.After(patience):
				t.Fatalf("%d of %d are told", i, n)
			}
		}
		if b.record.Load().epoch() != epoch {
			t.Error("an epoch began, although nothing is lost")
		}
		cancel()
		if err := <-followed; err != nil || len(heard) > 0 {
			t.Errorf("following ends with %v, and %d more were told", err, len(heard))
		}
	})
}

// TestReadOnly: what can be read and not written is no data directory, and says so.
func TestReadOnly(t *testing.T) {
	onSmallDisk(t, 64<<20, func(t *testing.T, dir string) {
		b := open(t, &Options{Dir: filepath.Join(dir, "data"), Log: quiet})
		put(t, b, "a", 1)
		b.kill()
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		says(t, openErr(t, &Options{Dir: b.opts.Dir}), "cannot be written", "read-only", "--data")
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, ""); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOpenOnFullDisk: it says what to do, and does no harm.
func TestOpenOnFullDisk(t *testing.T) {
	onSmallDisk(t, 64<<20, func(t *testing.T, dir string) {
		b := open(t, &Options{Dir: filepath.Join(dir, "data"), Log: quiet})
		q := put(t, b, "a", 20)
		b.kill()
		filler := fill(t, dir, 0)
		says(t, openErr(t, &Options{Dir: b.opts.Dir}), "no space left", "make room")
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		b = open(t, &Options{Dir: b.opts.Dir, Log: quiet})
		if got := numbers(t, b); !slices.Equal(got, upTo(20)) {
			t.Errorf("%v are kept", got)
		}
		if got := read(t, b, after(q)); got != "" {
			t.Errorf("%q is read behind the last", got)
		}
	})
}
