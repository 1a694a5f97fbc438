package jetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// openErr opens what must not open, and returns what is said.
func openErr(t *testing.T, o *Options) error {
	t.Helper()
	if o.Log == nil {
		o.Log = quiet
	}
	b, err := Open(t.Context(), o)
	if err == nil {
		b.kill()
		t.Fatal("it opens")
	}
	return err
}

// reopen closes a broker in order and opens its data with other options.
func reopen(t *testing.T, b *Broker, o Options) *Broker {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	o.Dir = b.opts.Dir
	if o.Log == nil {
		o.Log = quiet
	}
	return open(t, &o)
}

// put publishes to a channel so many times, and returns the last.
func put(t *testing.T, b *Broker, channel string, n int) (q *longwire.Publication) {
	t.Helper()
	for range n {
		var err error
		if q, err = publish(t, b, &longwire.Publication{Channel: channel, Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

// numbers returns the numbers of all that is kept.
func numbers(t *testing.T, b *Broker) (list []uint64) {
	t.Helper()
	for p, err := range b.Read(t.Context(), &longwire.Range{Channels: []string{">"}}) {
		if _, ok := errors.AsType[*longwire.GapError](err); ok {
			continue // some of it grows old while it is read
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p.Number)
	}
	return list
}

// upTo returns 1, 2, 3, … n.
func upTo(n int) (list []uint64) {
	for i := range n {
		list = append(list, uint64(i+1))
	}
	return list
}

// after is the range of a channel behind a publication of it.
func after(q *longwire.Publication) *longwire.Range {
	return &longwire.Range{Partition: q.Partition, Channels: []string{q.Channel}, Epoch: q.Epoch, After: q.Number, Taken: q.Time}
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

func TestBadDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, openErr(t, &Options{Dir: file}), file, "not a directory", "--data")
	says(t, openErr(t, &Options{Dir: filepath.Join(file, "below")}), file, "not a directory", "--data")

	held := open(t, &Options{Log: quiet})
	says(t, openErr(t, &Options{Dir: held.opts.Dir}), held.opts.Dir, "another process", "--data")
	put(t, held, "a", 1) // it does not mind
}

// TestRecordOfNewerProgram: what a newer program wrote is not touched.
func TestRecordOfNewerProgram(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, recordName), []byte(`{"format":99,"shape":"round"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, openErr(t, &Options{Dir: dir}), "format 99", "newer program")
	if got := names(t, dir); got != "lock longwire.json" {
		t.Error(got)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

// TestDamagedRecord: it is fatal where something is kept, and only there.
func TestDamagedRecord(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "cut": `{"format":1,"partitions":1,"cla`, "nothing": "{}", "another thing": `[1,2]`,
		"epochs of other partitions": `{"format":1,"partitions":1,"classes":[{"name":"default"}],"epochs":[{"id":1,"first":[1,1]}]}`,
		"ends of other partitions":   `{"format":1,"partitions":1,"classes":[{"name":"default"}],"epochs":[{"id":1,"first":[1]}],"clean":[1,1]}`,
		"damage elsewhere":           `{"format":1,"partitions":1,"classes":[{"name":"default"}],"epochs":[{"id":1,"first":[1]}],"damaged":[{"partition":1,"first":1,"last":1}]}`,
		"missing":                    "missing",
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, &Options{Log: quiet})
			b.kill()
			damage := func() {
				path := filepath.Join(b.opts.Dir, recordName)
				err := os.WriteFile(path, []byte(text), 0o600)
				if text == "missing" {
					err = os.Remove(path)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			damage()
			b = open(t, &Options{Dir: b.opts.Dir, Log: quiet})
			put(t, b, "a", 1)
			b.kill()
			damage()
			// Whatever is asked for: nothing is known of what there is.
			says(t, openErr(t, &Options{Dir: b.opts.Dir, Partitions: 2}), "longwire.json", "restore", "--data")
		})
	}
}

func TestOtherPartitions(t *testing.T) {
	b := open(t, &Options{Log: quiet})
	put(t, b, "a", 1)
	b.kill()
	err := openErr(t, &Options{Dir: b.opts.Dir, Partitions: 3})
	says(t, err, "each class is 1 in the data", "3 is wanted", "leave it out")
	if wire.CodeOf(err) != wire.CodeBadRequest {
		t.Error(err)
	}
	if got := names(t, filepath.Join(b.opts.Dir, storeName, "$G", "streams")); got != "LW-default-0" {
		t.Errorf("there are %s", got)
	}
	b = open(t, &Options{Dir: b.opts.Dir, Log: quiet})
	if got := read(t, b, &longwire.Range{Channels: []string{"a"}}); got != "1:a=x " {
		t.Error(got)
	}
}

// TestOtherClasses: where channels may live elsewhere, positions say nothing any more, and that is told.
func TestOtherClasses(t *testing.T) {
	chat := []longwire.Class{{Name: "chat", Patterns: []string{"chat.>"}}}
	for name, classes := range map[string][]longwire.Class{
		"renamed":          {{Name: "talk", Patterns: []string{"chat.>"}}},
		"another pattern":  {{Name: "chat", Patterns: []string{"chat.*"}}},
		"one more":         {{Name: "chat", Patterns: []string{"chat.>"}}, {Name: "more", Patterns: []string{"more"}}},
		"without":          nil,
		"in another order": {{Name: "first", Patterns: []string{"chat.a"}}, {Name: "chat", Patterns: []string{"chat.>"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			b := open(t, &Options{Classes: chat, Log: quiet})
			q := put(t, b, "chat.a", 2)
			b = reopen(t, b, Options{Classes: classes, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if b.record.Load().epoch() == q.Epoch {
				t.Error("the epoch is the same")
			}
			if tells := strings.Contains(log.String(), "LW-chat-0"); tells != (name == "renamed" || name == "without") {
				t.Errorf("the log says %q", &log)
			}
			r := after(q)
			r.Partition = b.layout.Partition("chat.a")
			if got := read(t, b, r); !strings.HasPrefix(got, "gap(chat.a,") {
				t.Errorf("%q is read behind a position of before", got)
			}
			p := put(t, b, "chat.a", 1)
			b = reopen(t, b, Options{Classes: chat})
			r = after(p)
			r.Partition = b.layout.Partition("chat.a")
			if got := read(t, b, r); !strings.HasPrefix(got, "gap(chat.a,") {
				t.Errorf("%q is read behind a position of in between", got)
			}
		})
	}
}

// TestOtherLimits: they can be changed, and the epoch goes on; what was dropped by the old ones is a gap
// for whoever stood before it, whatever the new ones are.
func TestOtherLimits(t *testing.T) {
	limits := func(c longwire.Class) Options {
		c.Name = "default"
		return Options{Classes: []longwire.Class{c}, Log: quiet}
	}
	few := limits(longwire.Class{Count: 3})
	b := open(t, &few)
	put(t, b, "other", 1) // so that the front of the stream stays
	first := put(t, b, "a", 1)
	third := put(t, b, "a", 2)
	last := put(t, b, "a", 3)
	const all, four = "4:a=x 5:a=x 6:a=x 7:a=x ", "5:a=x 6:a=x 7:a=x "
	check := func(when string) {
		t.Helper()
		if got := read(t, b, after(first)); got != "gap(a,3) "+all {
			t.Errorf("%s: %q is read behind the first", when, got)
		}
		if got := read(t, b, after(third)); got != four {
			t.Errorf("%s: %q is read behind the third", when, got)
		}
	}
	check("before")
	for _, o := range []Options{limits(longwire.Class{Count: 1000}), limits(longwire.Class{Count: 100, Age: time.Hour}), limits(longwire.Class{Bytes: -1, Age: -1})} {
		b = reopen(t, b, o)
		if b.record.Load().epoch() != last.Epoch {
			t.Error("an epoch began")
		}
		check("after a change")
	}
	q := put(t, b, "a", 5)
	if got := read(t, b, after(last)); strings.Contains(got, "gap") || !strings.Contains(got, "12:a=x") {
		t.Errorf("%q is read behind the last of before", got)
	}
	b = reopen(t, b, limits(longwire.Class{Count: 2}))
	if got := read(t, b, after(last)); got != "gap(a,9) 10:a=x 11:a=x 12:a=x " || b.record.Load().epoch() != q.Epoch {
		t.Errorf("%q is read with fewer", got)
	}
}

// TestOtherAge: what was too old once is not within history because more is kept today.
func TestOtherAge(t *testing.T) {
	aged := func(age time.Duration) *Options {
		return &Options{Classes: []longwire.Class{{Name: "default", Age: age}}, Log: quiet}
	}
	b := open(t, aged(leastAge))
	q := put(t, b, "a", 3)
	first := *q
	first.Number = 1
	for deadline := time.Now().Add(patience); len(numbers(t, b)) > 0; {
		if time.Now().After(deadline) {
			t.Fatal("nothing grows old")
		}
	}
	b = reopen(t, b, *aged(time.Hour))
	if got := read(t, b, after(q)); got != "" || b.record.Load().epoch() != q.Epoch {
		t.Errorf("%q is read behind the last", got)
	}
	put(t, b, "a", 1)
	if got := read(t, b, after(&first)); got != "gap(a,3) 4:a=x " {
		t.Errorf("%q is read", got)
	}
}

// TestOtherBytes: neither is what there was no room for.
func TestOtherBytes(t *testing.T) {
	room := func(bytes int64) Options {
		return Options{Classes: []longwire.Class{{Name: "default", Bytes: bytes}}, Log: quiet}
	}
	small := room(2000)
	b := open(t, &small)
	first := put(t, b, "a", 1)
	put(t, b, "a", 50)
	b = reopen(t, b, room(1<<20))
	b = reopen(t, b, room(1<<30))
	if got := read(t, b, after(first)); !strings.HasPrefix(got, "gap(a,") {
		t.Errorf("%q is read", got)
	}
}

// TestOtherStorage: files do not become memory by a word; what is empty does.
func TestOtherStorage(t *testing.T) {
	class := func(memory bool) Options {
		return Options{Classes: []longwire.Class{{Name: "c", Patterns: []string{"c"}, Memory: memory}}, Log: quiet}
	}
	o := class(true)
	b := open(t, &o)
	q := put(t, b, "c", 2)
	b = reopen(t, b, class(false))
	if got := read(t, b, after(q)); got != "gap(c,0) " {
		t.Errorf("%q is read behind what was in memory", got)
	}
	b = reopen(t, b, class(true)) // nothing is in the files
	b = reopen(t, b, class(false))
	q = put(t, b, "c", 2)
	b.kill()
	o = class(true)
	o.Dir = b.opts.Dir
	err := openErr(t, &o)
	says(t, err, "retention class c", "2 publications", "another name")
	if wire.CodeOf(err) != wire.CodeBadRequest {
		t.Error(err)
	}
	o = class(false)
	o.Dir = b.opts.Dir
	b = open(t, &o)
	if got := read(t, b, after(q)); got != "" {
		t.Errorf("%q is read behind the last", got)
	}
}

func TestTooYoung(t *testing.T) {
	err := openErr(t, &Options{Dir: t.TempDir(), Classes: []longwire.Class{{Name: "c", Patterns: []string{"c"}, Age: time.Millisecond}}})
	says(t, err, "retention class c", "100ms")
	if wire.CodeOf(err) != wire.CodeBadRequest {
		t.Error(err)
	}
}

// TestHalf: what a process left that was killed while it wrote the record or made a snapshot is removed.
func TestHalf(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, recordName+".123"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, snapshotPrefix+"1", storeName), 0o700); err != nil {
		t.Fatal(err)
	}
	open(t, &Options{Dir: dir, Log: quiet})
	if got := names(t, dir); strings.Contains(got, recordName+".") || strings.Contains(got, snapshotPrefix) {
		t.Error(got)
	}
	r, err := loadRecord(dir)
	if err != nil || len(r.Epochs) != 1 {
		t.Error(r, err)
	}
	b, _ := json.Marshal(r)
	if q, err := parseRecord(b); err != nil || q.epoch() != r.epoch() {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, recordName)); err != nil || info.Mode().Perm() != fs.FileMode(0o600) {
		t.Error(info.Mode(), err)
	}
}
