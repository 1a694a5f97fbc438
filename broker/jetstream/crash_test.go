package jetstream

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// lastBlock returns the newest file of a stream's publications.
func lastBlock(t *testing.T, dir, stream string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", stream, "msgs", "*.blk"))
	if err != nil || len(list) == 0 {
		t.Fatal("there is no block: ", err)
	}
	slices.SortFunc(list, func(a, b string) int { return len(a) - len(b) }) // 9.blk is before 10.blk
	return list[len(list)-1]
}

// TestDamagedTail: when the loss of power has taken the end of what was written, all that is whole is kept, and
// who had more is told.
func TestDamagedTail(t *testing.T) {
	damages := map[string]func(b []byte) []byte{
		"cut":           func(b []byte) []byte { return b[:len(b)-500] },
		"zeros":         func(b []byte) []byte { clear(b[len(b)-500:]); return b },
		"another thing": func(b []byte) []byte { return append(b[:len(b)-500], slices.Repeat([]byte("other"), 100)...) },
		"longer":        func(b []byte) []byte { return append(b, make([]byte, 4096)...) },
		"nothing":       func([]byte) []byte { return nil },
	}
	for name, damage := range damages {
		for _, index := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, index %v", name, index), func(t *testing.T) {
				b := open(t, &Options{Log: quiet})
				const all = 50
				last := put(t, b, "a", all)
				if index { // the server leaves one behind when it ends in order
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					if err := b.Close(ctx); err != nil {
						t.Fatal(err)
					}
				}
				b.kill()
				path := lastBlock(t, b.opts.Dir, "LW-default-0")
				if !index {
					if err := os.Remove(filepath.Join(filepath.Dir(path), "index.db")); err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
				}
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, damage(data), 0o600); err != nil {
					t.Fatal(err)
				}
				b = open(t, &Options{Dir: b.opts.Dir, Log: quiet})
				if index && name != "longer" && name != "nothing" { // all was on the disk, so what is missing is known
					afterLoss(t, b, last)
				} else {
					afterDamage(t, b, last, name == "longer")
				}
			})
		}
	}
}

// afterLoss checks a broker of which it is known what it has lost, up to last.
func afterLoss(t *testing.T, b *Broker, last *longwire.Publication) {
	t.Helper()
	kept := numbers(t, b)
	if !slices.Equal(kept, upTo(len(kept))) || len(kept) >= int(last.Number) {
		t.Fatalf("kept is %v", kept)
	}
	next := put(t, b, "a", 1)
	if next.Number != last.Number+1 || next.Epoch != last.Epoch {
		t.Errorf("the next is %+v", next)
	}
	for number := uint64(1); number <= last.Number; number++ {
		var want strings.Builder
		for k := number + 1; k <= uint64(len(kept)); k++ {
			fmt.Fprintf(&want, "%d:a=x ", k)
		}
		if number < last.Number {
			fmt.Fprintf(&want, "gap(a,%d) ", last.Number)
		}
		fmt.Fprintf(&want, "%d:a=x ", next.Number)
		q := *last
		q.Number = number
		if got := read(t, b, after(&q)); got != want.String() {
			t.Fatalf("behind number %d %q is read, want %q", number, got, want.String())
		}
	}
}

// afterDamage checks a broker that was opened again after up to last was acknowledged.
func afterDamage(t *testing.T, b *Broker, last *longwire.Publication, none bool) {
	t.Helper()
	kept := numbers(t, b)
	if !slices.Equal(kept, upTo(len(kept))) || len(kept) == int(last.Number) != none {
		t.Fatalf("kept is %v", kept)
	}
	n := uint64(len(kept))
	if !none && b.record.Load().epoch() == last.Epoch {
		t.Error("no epoch began")
	}
	next := put(t, b, "a", 1)
	if next.Number <= n {
		t.Errorf("the next is number %d, and %d are kept", next.Number, n)
	}
	behind := func(number uint64) (s string) {
		for _, k := range append(kept, next.Number) {
			if k > number {
				s += fmt.Sprintf("%d:a=x ", k)
			}
		}
		return s
	}
	for number := uint64(1); number <= last.Number; number++ {
		q := *last
		q.Number = number
		want := behind(number)
		if number > n {
			want = fmt.Sprintf("gap(a,%d) ", append(kept, next.Number)[0]-1) + behind(0)
		}
		if got := read(t, b, after(&q)); got != want {
			t.Fatalf("behind number %d of the epoch before %q is read, want %q", number, got, want)
		}
	}
}

// TestCrashBetweenSteps: a process may end after each step of opening and closing.
func TestCrashBetweenSteps(t *testing.T) {
	for _, kept := range []int{0, 3} {
		for step := range 9 {
			t.Run(fmt.Sprintf("step %d with %d kept", step, kept), func(t *testing.T) {
				o := Options{Dir: t.TempDir(), Log: quiet}
				var q *longwire.Publication
				if kept > 0 {
					b := open(t, &o)
					q = put(t, b, "a", kept)
					b.kill()
				}
				crashAt(t, o, step)
				b := open(t, &o)
				if got := numbers(t, b); !slices.Equal(got, upTo(kept)) {
					t.Errorf("kept is %v", got)
				}
				if next := put(t, b, "a", 1); next.Number != uint64(kept+1) {
					t.Errorf("the next is %d", next.Number)
				}
				if q != nil {
					if got, want := read(t, b, after(q)), fmt.Sprintf("%d:a=x ", kept+1); got != want {
						t.Errorf("%q is read behind the last of before, want %q", got, want)
					}
				}
				b.kill()
				b = open(t, &o)
				if got := numbers(t, b); !slices.Equal(got, upTo(kept+1)) {
					t.Errorf("kept is %v in the end", got)
				}
			})
		}
	}
}

// crashAt opens and closes as [Broker.open] and [Broker.Close] do, and ends behind a step.
func crashAt(t *testing.T, o Options, last int) {
	t.Helper()
	ctx := t.Context()
	opts := o.filled()
	b := &Broker{opts: opts, log: opts.Log, inbox: nats.NewInbox() + ".", acks: make(chan *nats.Msg, 1), posted: make(chan func()), ended: make(chan struct{})}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	defer b.release()
	close(b.ended)
	var r *record
	steps := []func() error{
		func() (err error) { b.embedded, err = newEmbedded(&b.opts); return err },
		func() (err error) {
			if r, err = loadRecord(o.Dir); err != nil {
				return err
			}
			if err := b.lay(r, 1); err != nil {
				return err
			}
			b.keeper = recordFile{o.Dir}
			return b.check(ctx, r)
		},
		func() error { return b.embedded.start() },
		func() error { return b.connect() },
		func() error { return b.makeStreams(ctx, r) },
		func() error { return b.begin(ctx, r) },
		func() error { b.embedded.stop(); return nil },
		func() error { return b.leaveClean(ctx) },
		func() error { return os.WriteFile(filepath.Join(o.Dir, recordName+".1"), []byte("{"), 0o600) },
	}
	for _, step := range steps[:last+1] {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeysAcrossRestart: a key is remembered as long as without a restart, however the process ended.
func TestKeysAcrossRestart(t *testing.T) {
	for _, orderly := range []bool{true, false} {
		t.Run(fmt.Sprint("orderly ", orderly), func(t *testing.T) {
			b := open(t, &Options{Log: quiet})
			first, err := publish(t, b, &longwire.Publication{Channel: "a", Key: "k", Data: []byte("one")})
			if err != nil {
				t.Fatal(err)
			}
			put(t, b, "a", 1)
			if orderly {
				b = reopen(t, b, Options{})
			} else {
				b.kill()
				b = open(t, &Options{Dir: b.opts.Dir, Log: quiet})
			}
			again, err := publish(t, b, &longwire.Publication{Channel: "a", Key: "k", Data: []byte("one")})
			if err != nil || again.Number != first.Number || again.Position() != first.Position() {
				t.Errorf("%+v %v, want %+v", again, err, first)
			}
			if _, err := publish(t, b, &longwire.Publication{Channel: "a", Key: "k", Data: []byte("two")}); wire.CodeOf(err) != wire.CodeKeyReused {
				t.Error(err)
			}
			other, err := publish(t, b, &longwire.Publication{Channel: "b", Key: "k", Data: []byte("two")})
			if err != nil || other.Number != 3 {
				t.Error(other, err)
			}
		})
	}
}

// TestRestart: starting the server again in place loses nothing, and gives no number twice.
func TestRestart(t *testing.T) {
	b := open(t, &Options{Log: quiet, Classes: []longwire.Class{{Name: "memory", Patterns: []string{"m"}, Memory: true}}})
	memory, file := put(t, b, "m", 2), put(t, b, "a", 2)
	if err := b.sick(); err != nil {
		t.Error(err)
	}
	if err := b.restart(); err != nil {
		t.Fatal(err)
	}
	if q := put(t, b, "a", 1); q.Number != 3 || q.Epoch != file.Epoch {
		t.Errorf("%+v", q)
	}
	q := put(t, b, "m", 1)
	if q.Number <= memory.Number || q.Epoch != memory.Epoch {
		t.Errorf("%+v", q)
	}
	if got, want := read(t, b, after(memory)), fmt.Sprintf("gap(m,%d) %d:m=x ", q.Number-1, q.Number); got != want {
		t.Errorf("%q is read of the memory, want %q", got, want)
	}
	if got := read(t, b, after(q)); got != "" {
		t.Errorf("%q is read behind the last", got)
	}
}

// TestRestartLoses: if the store comes back with less than it had acknowledged, followers hear that it begins again.
func TestRestartLoses(t *testing.T) {
	b := open(t, &Options{Log: quiet})
	feeds := make(chan longwire.Feed, 100)
	followed := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { followed <- b.Follow(ctx, func(f longwire.Feed) { feeds <- f }) }()
	<-feeds
	last := put(t, b, "a", 50)
	for f := range feeds {
		if f.Last == last.Number {
			break
		}
	}
	b.embedded.stop()
	path := lastBlock(t, b.opts.Dir, "LW-default-0")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-500); err != nil {
		t.Fatal(err)
	}
	if err := b.restart(); err != nil {
		t.Fatal(err)
	}
	f := <-feeds
	if len(f.Publications) > 0 || f.Epoch == last.Epoch || f.Last >= last.Number || len(f.Earlier) != 1 || f.Earlier[0] != (longwire.EpochEnd{Epoch: last.Epoch, Last: f.Last}) {
		t.Errorf("%+v", f)
	}
	afterDamage(t, b, last, false)
	if got := <-feeds; len(got.Publications) != 1 || got.Publications[0].Number <= f.Last || got.Publications[0].Epoch != f.Epoch {
		t.Errorf("%+v", got)
	}
	cancel()
	if err := <-followed; err != nil {
		t.Error(err)
	}
}
