package jetstream

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/longwire/longwire"
)

// A load publishes to some channels until it is ended, and remembers what was acknowledged.
type load struct {
	t    *testing.T
	b    *Broker
	over chan struct{}
	once sync.Once // closes over
	wg   sync.WaitGroup

	mu   sync.Mutex
	kept map[string][]*longwire.Publication // guarded by mu, by channel

	grown sync.Cond // of kept
}

func beginLoad(t *testing.T, b *Broker, channels int) *load {
	l := &load{t: t, b: b, over: make(chan struct{}), kept: map[string][]*longwire.Publication{}}
	l.grown.L = &l.mu
	for i := range channels {
		l.wg.Go(func() { l.run(fmt.Sprint("c", i)) })
	}
	return l
}

// run has some publications of a channel under way at all times.
func (l *load) run(channel string) {
	room := make(chan struct{}, 64)
	defer func() {
		for range cap(room) {
			room <- struct{}{}
		}
	}()
	for i := 0; ; i++ {
		select {
		case <-l.over:
			return
		case room <- struct{}{}:
		}
		data := fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", 200))
		l.b.Publish(&longwire.Publication{Channel: channel, Data: data}, func(q *longwire.Publication, err error) {
			defer func() { <-room }()
			if err != nil {
				l.t.Error(err)
				return
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.kept[channel] = append(l.kept[channel], q)
			l.grown.Broadcast()
		})
	}
}

// acknowledged returns what was so far.
func (l *load) acknowledged() map[string][]*longwire.Publication {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][]*longwire.Publication{}
	for channel, list := range l.kept {
		all[channel] = slices.Clone(list)
	}
	return all
}

// more waits until each channel has so many more.
func (l *load) more(channels, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	want := map[string]int{}
	for i := range channels {
		channel := fmt.Sprint("c", i)
		want[channel] = len(l.kept[channel]) + n
	}
	for channel, n := range want {
		for len(l.kept[channel]) < n {
			l.grown.Wait()
		}
	}
}

func (l *load) end() {
	l.once.Do(func() { close(l.over) })
	l.wg.Wait()
}

// TestBackupUnderLoad: a backup of what is in use has all that was acknowledged before, and is what there was
// at one moment: so whoever stood anywhere goes on there, or hears of a gap.
func TestBackupUnderLoad(t *testing.T) {
	const channels, count = 4, 50
	for name, bytes := range map[string]int64{"by count": 128 << 10, "by bytes": 48 << 10} { // so there are several blocks
		t.Run(name, func(t *testing.T) {
			o := Options{Log: quiet, Partitions: 2, Classes: []longwire.Class{{Name: "default", Count: count, Bytes: bytes}}}
			b := open(t, &o)
			l := beginLoad(t, b, channels)
			defer l.end()
			backups := map[string]map[string][]*longwire.Publication{} // with what was acknowledged before
			for range 5 {
				l.more(channels, 4*count)
				before := l.acknowledged()
				to := filepath.Join(t.TempDir(), "backup")
				if _, err := Backup(t.Context(), b.opts.Dir, to); err != nil {
					t.Fatal(err)
				}
				backups[to] = before
			}
			l.end()
			for to, before := range backups {
				checkBackup(t, to, o, before)
			}
		})
	}
}

// checkBackup restores a backup and reads behind all positions.
func checkBackup(t *testing.T, to string, o Options, before map[string][]*longwire.Publication) {
	t.Helper()
	o.Dir = filepath.Join(t.TempDir(), "restored")
	if _, err := Restore(t.Context(), to, o.Dir); err != nil {
		t.Fatal(err)
	}
	b := open(t, &o)
	for channel, list := range before {
		last := list[len(list)-1]
		if last.Epoch == b.record.Load().epoch() {
			t.Fatal("no epoch began")
		}
		for i := 0; i < len(list); i += 1 + len(list)/10 {
			checkBehind(t, b, channel, list, i)
		}
		checkBehind(t, b, channel, list, len(list)-1)
		later := *last
		later.Number += 1 << 40
		if got := read(t, b, after(&later)); !strings.HasPrefix(got, "gap(") {
			t.Fatalf("%.80q is read behind what came after the backup", got)
		}
		var stood *longwire.Publication // at the end of what is in the backup, which may be later than last
		for p, err := range b.Read(t.Context(), &longwire.Range{Partition: last.Partition, Channels: []string{channel}, Last: 1}) {
			if err != nil || p.Epoch != last.Epoch || p.Number < last.Number {
				t.Fatal(p, err)
			}
			stood = p
		}
		if stood == nil {
			continue // others took its room
		}
		next := put(t, b, channel, 1)
		if got := read(t, b, after(stood)); got != fmt.Sprintf("%d:%s=x ", next.Number, channel) {
			t.Fatalf("%.80q is read behind the last of the backup", got)
		}
	}
	b.kill()
}

// checkBehind reads a channel behind one of its publications: all that were acknowledged come, in order and once,
// but for those before a gap; so do those that were acknowledged later and are in the backup.
func checkBehind(t *testing.T, b *Broker, channel string, list []*longwire.Publication, i int) {
	t.Helper()
	gap := false
	want := i + 1 // in the channel, whose publications have the data 0, 1, 2, …
	n := 0
	for p, err := range b.Read(t.Context(), after(list[i])) {
		if _, ok := err.(*longwire.GapError); ok && !gap && n == 0 {
			gap = true
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var number int
		fmt.Sscan(string(p.Data), &number)
		if gap && n == 0 {
			want = number
		}
		if number != want {
			t.Fatalf("publication %d of %s is read, want %d; gap is %v", number, channel, want, gap)
		}
		want++
		n++
	}
	if gap && n == 0 {
		return // others took the room of all of it
	}
	if want < len(list) {
		t.Fatalf("%d of %s were read, and %d were acknowledged before", want, channel, len(list))
	}
}

// TestBackupOfStopped: the process may have ended, in whatever way.
func TestBackupOfStopped(t *testing.T) {
	for _, orderly := range []bool{true, false} {
		b := open(t, &Options{Log: quiet})
		q := put(t, b, "a", 3)
		if orderly {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := b.Close(ctx); err != nil {
				t.Fatal(err)
			}
		} else {
			b.kill()
		}
		to, dir := filepath.Join(t.TempDir(), "to"), filepath.Join(t.TempDir(), "below", "restored")
		n, err := Backup(t.Context(), b.opts.Dir, to)
		if err != nil || n.Files < 3 || n.Bytes == 0 {
			t.Fatal(n, err)
		}
		if m, err := Restore(t.Context(), to, dir); err != nil || m != n {
			t.Fatal(m, err)
		}
		r := open(t, &Options{Dir: dir, Log: quiet})
		if r.record.Load().epoch() == q.Epoch {
			t.Error("no epoch began")
		}
		put(t, r, "a", 1)
		if got := read(t, r, after(q)); got != "4:a=x " {
			t.Error(got)
		}
		later := *q
		later.Number = 4 // which was another one, elsewhere
		if got := read(t, r, after(&later)); got != "gap(a,0) 1:a=x 2:a=x 3:a=x 4:a=x " {
			t.Error(got)
		}
	}
}

func TestBadBackup(t *testing.T) {
	b := open(t, &Options{Log: quiet})
	put(t, b, "a", 1)
	empty, full := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	backup := func(dir, to string, words ...string) {
		t.Helper()
		_, err := Backup(t.Context(), dir, to)
		if err == nil {
			t.Fatal("there is a backup")
		}
		says(t, err, words...)
	}
	restore := func(from, dir string, words ...string) {
		t.Helper()
		_, err := Restore(t.Context(), from, dir)
		if err == nil {
			t.Fatal("it is restored")
		}
		says(t, err, words...)
	}
	backup(empty, filepath.Join(empty, "to"), empty, "no data directory")
	backup(filepath.Join(empty, "none"), filepath.Join(empty, "to"), "no data directory")
	backup(b.opts.Dir, full, full, "not empty")
	backup(b.opts.Dir, filepath.Join(full, "x"), "name another directory")
	restore(empty, filepath.Join(empty, "data"), empty, "no backup")
	restore(b.opts.Dir, filepath.Join(empty, "data"), "another process", "longwire backup")

	if err := os.Symlink(b.opts.Dir, filepath.Join(empty, "link")); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{".", "to", filepath.Join(storeName, "to", "deeper")} {
		for _, dir := range []string{b.opts.Dir, filepath.Join(empty, "link")} {
			backup(b.opts.Dir, filepath.Join(dir, to), "which is to be copied", "outside")
			backup(dir, filepath.Join(b.opts.Dir, to), "which is to be copied", "outside")
		}
	}
	if _, err := os.Stat(filepath.Join(b.opts.Dir, storeName, "to")); err == nil {
		t.Error("something was made in the data directory")
	}
	restore(filepath.Join(full, "x"), filepath.Join(empty, "data"), "no backup")

	good := filepath.Join(t.TempDir(), "good")
	if _, err := Backup(t.Context(), b.opts.Dir, good); err != nil {
		t.Fatal(err)
	}
	restore(good, full, full, "not empty")
	restore(good, b.opts.Dir, "not empty")
	restore(good, filepath.Join(good, "data"), "which is to be copied")

	// One that ended in the middle is none, and neither is what it was restored to.
	if err := os.Remove(filepath.Join(good, recordName)); err != nil {
		t.Fatal(err)
	}
	restore(good, filepath.Join(empty, "data"), "not finished")
	says(t, openErr(t, &Options{Dir: good}), "is missing", "restore")
}

// A tired context ends when it has been asked so many times.
type tired struct {
	context.Context
	left int
}

func (c *tired) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestBackupCut ends a backup and a restore after each of the files: nothing is left, so the same can be tried again.
func TestBackupCut(t *testing.T) {
	b := open(t, &Options{Log: quiet, Classes: []longwire.Class{{Name: "a", Patterns: []string{"a"}}, {Name: "rest"}}})
	put(t, b, "a", 3)
	put(t, b, "b", 3)
	b.kill()
	for what, do := range map[string]func(context.Context, string) (Copied, error){
		"backup":  func(ctx context.Context, to string) (Copied, error) { return Backup(ctx, b.opts.Dir, to) },
		"restore": func(ctx context.Context, to string) (Copied, error) { return Restore(ctx, b.opts.Dir, to) },
	} {
		to := filepath.Join(t.TempDir(), "to")
		cut := 0
		for ; ; cut++ {
			n, err := do(&tired{Context: t.Context(), left: cut}, to)
			if err == nil {
				if n.Files < 6 || n.Files != cut {
					t.Errorf("%s: %d files after %d cuts", what, n.Files, cut)
				}
				break
			}
			if list, err := os.ReadDir(to); err != nil || len(list) > 0 {
				t.Fatalf("%s cut after %d files: %v is left, %v", what, cut, list, err)
			}
		}
	}
}

// TestLongName: the name of a socket may be about 100 bytes. What has a longer one is backed up when it has ended.
func TestLongName(t *testing.T) {
	var log bytes.Buffer
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	b := open(t, &Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	put(t, b, "a", 1)
	if !strings.Contains(log.String(), "no backup can be made while this process runs") {
		t.Errorf("the log says %q", &log)
	}
	to := filepath.Join(t.TempDir(), "to")
	_, err := Backup(t.Context(), dir, to)
	if err == nil {
		t.Fatal("there is a backup")
	}
	says(t, err, "cannot be asked", "when it has ended")
	b.kill()
	if n, err := Backup(t.Context(), dir, to); err != nil || n.Files == 0 {
		t.Error(n, err)
	}
}

// TestOneBackupAtATime: two would not hurt, but their number must have some bound.
func TestOneBackupAtATime(t *testing.T) {
	b := open(t, &Options{Log: quiet})
	put(t, b, "a", 1)
	name, done, err := askForSnapshot(t.Context(), b.opts.Dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Backup(t.Context(), b.opts.Dir, filepath.Join(t.TempDir(), "to"))
	if err == nil {
		t.Fatal("there are two")
	}
	says(t, err, "another backup is under way")
	// It is what there was when it was made.
	put(t, b, "a", 1)
	to := filepath.Join(t.TempDir(), "to")
	if _, err := copyData(t.Context(), filepath.Join(b.opts.Dir, name), to); err != nil {
		t.Fatal(err)
	}
	if got := numbers(t, open(t, &Options{Dir: to, Log: quiet})); !slices.Equal(got, upTo(1)) {
		t.Errorf("%v are in it", got)
	}
	done()
	if _, err := os.Stat(filepath.Join(b.opts.Dir, name)); !os.IsNotExist(err) {
		t.Error("the snapshot is left")
	}
	// The end of the broker ends a backup.
	name, done, err = askForSnapshot(t.Context(), b.opts.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if got := names(t, b.opts.Dir); got != "jetstream lock longwire.json" {
		t.Errorf("%s is left, with %s", got, name)
	}
}
