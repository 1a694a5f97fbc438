package jetstream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire"
)

// end ends a broker, in order or not, and returns options for its data.
func (b *Broker) end(t *testing.T, orderly bool) Options {
	t.Helper()
	if orderly {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	b.kill()
	o := b.opts
	o.Log = quiet
	return o
}

// An entryPlace is where an entry is.
type entryPlace struct {
	path      string
	from, to  int
	lastBlock bool
}

// places finds the entries of a stream, by number.
func places(t *testing.T, dir, stream string) map[uint64]entryPlace {
	t.Helper()
	folder := filepath.Join(dir, storeName, "$G", "streams", stream, "msgs")
	paths, err := filepath.Glob(filepath.Join(folder, "*.blk"))
	if err != nil || len(paths) == 0 {
		t.Fatal("there is no block: ", err)
	}
	last := lastBlock(t, dir, stream)
	all := map[uint64]entryPlace{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sum := newBlockSum(stream, blockNumber(path))
		for at := 0; at < len(data); {
			size := entrySize(data[at:], sum)
			if size == 0 {
				t.Fatalf("%s is damaged at %d", path, at)
			}
			all[binary.LittleEndian.Uint64(data[at+4:])] = entryPlace{path, at, at + size, path == last}
			at += size
		}
	}
	return all
}

// change changes a file.
func change(t *testing.T, path string, how func(b []byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, how(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// blocked are options with which a block has some 200 publications of 100 B.
func blocked() *Options {
	return &Options{Classes: []longwire.Class{{Name: "default", Bytes: 127_000}}, Log: quiet}
}

// alternate publishes a number of publications of 100 B, to a and b in turn.
func alternate(t *testing.T, b *Broker, n int) (q *longwire.Publication) {
	t.Helper()
	for i := range n {
		var err error
		if q, err = publish(t, b, &longwire.Publication{Channel: string(rune('a' + i%2)), Data: bytes.Repeat([]byte("x"), 100)}); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

// story reads, and tells which numbers there are: "1-5 gap 7-9".
func story(t *testing.T, b *Broker, r *longwire.Range) string {
	t.Helper()
	var s []string
	var first, last uint64
	tell := func() {
		if first > 0 {
			s = append(s, fmt.Sprintf("%d-%d", first, last))
		}
		first = 0
	}
	step := uint64(2)
	if r.Channels[0] == ">" {
		step = 1
	}
	for p, err := range b.Read(t.Context(), r) {
		g, ok := errors.AsType[*longwire.GapError](err)
		switch {
		case ok:
			tell()
			s = append(s, fmt.Sprintf("gap(%d,%d)", g.After, g.Lost))
		case err != nil:
			t.Fatal(err)
		case first > 0 && p.Number == last+step:
			last = p.Number
		default:
			tell()
			first, last = p.Number, p.Number
		}
	}
	tell()
	return strings.Join(s, " ")
}

// TestDamagedMidst: what a damaged file has lost is told to whoever stood before it, and to nobody else, however the
// process ended, and again after the next start.
func TestDamagedMidst(t *testing.T) {
	const all = 600
	for name, damage := range map[string]func(e []byte){
		"data":    func(e []byte) { e[len(e)/2] ^= 1 },
		"sum":     func(e []byte) { e[len(e)-1] ^= 0x80 },
		"length":  func(e []byte) { e[1] ^= 1 },
		"longest": func(e []byte) { e[2] ^= 0xff },
		"number":  func(e []byte) { e[4] ^= 1 },
		"subject": func(e []byte) { e[20] ^= 0xff },
		"all":     func(e []byte) { clear(e) },
	} {
		for _, orderly := range []bool{true, false} {
			for _, lost := range []uint64{1, 301, all - 51} {
				t.Run(fmt.Sprintf("%s of %d, orderly %v", name, lost, orderly), func(t *testing.T) {
					b := open(t, blocked())
					q := *alternate(t, b, all)
					o := b.end(t, orderly)
					e := places(t, o.Dir, "LW-default-0")[lost]
					if e.lastBlock != (lost > 500) {
						t.Fatalf("%d is in %s", lost, e.path)
					}
					change(t, e.path, func(b []byte) []byte { damage(b[e.from:e.to]); return b })
					for i, again := range []bool{true, false, true} {
						var log bytes.Buffer
						o.Log = slog.New(slog.NewTextHandler(&log, nil))
						b = open(t, &o)
						if line := fmt.Sprintf("stream=LW-default-0 first=%d last=%d numbers=1", lost, lost); strings.Count(log.String(), line) != max(0, 1-i) || strings.Count(log.String(), "ERROR") != max(0, 1-i) {
							t.Errorf("the log of start %d says %q", i, &log)
						}
						checkMidst(t, b, q, lost)
						next := alternate(t, b, 2)
						if next.Number != q.Number+2 {
							t.Errorf("the next number is %d, want %d", next.Number, q.Number+2)
						}
						q = *next
						o = b.end(t, again)
					}
				})
			}
		}
	}
}

// checkMidst checks what is read where one number is lost. Q is the last.
func checkMidst(t *testing.T, b *Broker, q longwire.Publication, lost uint64) {
	t.Helper()
	last := q.Number
	for _, tt := range []struct {
		channel string
		after   uint64
		want    string
	}{
		{"a", lost, fmt.Sprintf("%d-%d", lost+2, last-1)},
		{"b", lost, fmt.Sprintf("%d-%d", lost+1, last)},
		{">", lost, fmt.Sprintf("%d-%d", lost+1, last)},
		{"a", lost - 1, fmt.Sprintf("gap(%d,%d) %d-%d", lost+1, lost, lost+2, last-1)},
		{"b", lost - 1, fmt.Sprintf("gap(%d,%d) %d-%d", lost, lost, lost+1, last)},
		{">", lost - 1, fmt.Sprintf("gap(%d,%d) %d-%d", lost, lost, lost+1, last)},
		{"c", lost - 1, fmt.Sprintf("gap(%d,%d)", last, lost)},
		{"c", lost, ""},
		{"b", last, ""},
	} {
		r := &longwire.Range{Channels: []string{tt.channel}, Epoch: q.Epoch, After: tt.after, Taken: q.Time}
		if got := story(t, b, r); got != tt.want {
			t.Errorf("%s behind %d: %q, want %q", tt.channel, tt.after, got, tt.want)
		}
	}
	if lost < 100 {
		return
	}
	for _, r := range []longwire.Range{{Epoch: q.Epoch, After: 50, Taken: q.Time}, {After: 50}} {
		r.Channels = []string{">"}
		want := fmt.Sprintf("51-%d gap(%d,%d) %d-%d", lost-1, lost, lost, lost+1, last)
		if got := story(t, b, &r); got != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
		r.Limit = int(lost) - 51
		if got, want := story(t, b, &r), fmt.Sprintf("51-%d", lost-1); got != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}

// TestDamagedParts: of a block that is cut or overwritten what is whole stays, and no number is given again.
func TestDamagedParts(t *testing.T) {
	const all = 600
	t.Run("cut middle block", func(t *testing.T) {
		b := open(t, blocked())
		q := *alternate(t, b, all)
		o := b.end(t, false)
		in := places(t, o.Dir, "LW-default-0")
		change(t, in[300].path, func(b []byte) []byte { return b[:in[300].from+10] })
		end := uint64(300)
		for in[end].path == in[300].path {
			end++
		}
		b = open(t, &o)
		want := fmt.Sprintf("201-299 gap(%d,%d) %d-%d", end-1, end-1, end, all)
		if got := story(t, b, &longwire.Range{Channels: []string{">"}, Epoch: q.Epoch, After: 200, Taken: q.Time}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("all of a middle block", func(t *testing.T) {
		b := open(t, blocked())
		q := *alternate(t, b, all)
		o := b.end(t, false)
		in := places(t, o.Dir, "LW-default-0")
		change(t, in[300].path, func(b []byte) []byte { clear(b); return b })
		first, end := uint64(300), uint64(300)
		for in[first-1].path == in[300].path {
			first--
		}
		for in[end].path == in[300].path {
			end++
		}
		b = open(t, &o)
		want := fmt.Sprintf("51-%d gap(%d,%d) %d-%d", first-1, end-1, end-1, end, all)
		if got := story(t, b, &longwire.Range{Channels: []string{">"}, Epoch: q.Epoch, After: 50, Taken: q.Time}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("everything, orderly", func(t *testing.T) {
		b := open(t, blocked())
		q := *alternate(t, b, 50)
		o := b.end(t, true)
		change(t, lastBlock(t, o.Dir, "LW-default-0"), func(b []byte) []byte { clear(b); return b })
		b = open(t, &o)
		if next := alternate(t, b, 1); next.Number != 51 || next.Epoch != q.Epoch {
			t.Errorf("the next is %+v", next)
		}
		if got := story(t, b, &longwire.Range{Channels: []string{">"}, Epoch: q.Epoch, After: 20, Taken: q.Time}); got != "gap(50,50) 51-51" {
			t.Errorf("%q is read", got)
		}
		if got := story(t, b, after(&q)); got != "" {
			t.Errorf("%q is read behind the last of b", got)
		}
	})
	t.Run("whole entries of the last block, orderly", func(t *testing.T) {
		b := open(t, blocked())
		q := *alternate(t, b, all)
		o := b.end(t, true)
		in := places(t, o.Dir, "LW-default-0")
		change(t, in[590].path, func(b []byte) []byte { return b[:in[590].from] })
		b = open(t, &o)
		if got := story(t, b, &longwire.Range{Channels: []string{">"}, Epoch: q.Epoch, After: 200, Taken: q.Time}); got != "gap(0,0) 1-589" {
			t.Errorf("%q is read", got)
		}
	})
	t.Run("end of the last block, orderly", func(t *testing.T) {
		b := open(t, blocked())
		q := *alternate(t, b, all)
		o := b.end(t, true)
		in := places(t, o.Dir, "LW-default-0")
		change(t, in[590].path, func(b []byte) []byte { return b[:in[590].from+10] })
		for range 2 {
			b = open(t, &o)
			want := fmt.Sprintf("201-589 gap(%d,%d)", q.Number, all)
			if q.Number > all {
				want = fmt.Sprintf("201-589 gap(%d,%d) %d-%d", all, all, all+1, q.Number)
			}
			if got := story(t, b, &longwire.Range{Channels: []string{">"}, Epoch: q.Epoch, After: 200, Taken: q.Time}); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if next := alternate(t, b, 1); next.Number != q.Number+1 || next.Epoch != q.Epoch {
				t.Errorf("%+v", next)
			}
			q.Number++
			if got := story(t, b, &longwire.Range{Channels: []string{">"}, Epoch: q.Epoch, After: all, Taken: q.Time}); got != fmt.Sprintf("%d-%d", all+1, q.Number) {
				t.Errorf("%q is read behind the last of before", got)
			}
			o = b.end(t, true)
		}
	})
}

// TestDamagedIsBounded: of very many damages the oldest are told as one.
func TestDamagedIsBounded(t *testing.T) {
	r := &record{}
	for i := range uint64(3 * maxDamages) {
		r.noteDamage(damage{Partition: 1, First: 10*i + 1, Last: 10*i + 2})
		r.noteDamage(damage{Partition: int(2 * (i % 2)), First: 5, Last: 6})
	}
	of := func(partition int) (list []damage) {
		for _, d := range r.Damaged {
			if d.Partition == partition {
				list = append(list, d)
			}
		}
		return list
	}
	if got := of(1); len(got) != maxDamages || got[0].First != 1 || got[maxDamages-1].Last != 10*(3*maxDamages-1)+2 {
		t.Errorf("%d: %+v", len(got), got)
	}
	if len(of(0)) != 1 || len(of(2)) != 1 {
		t.Errorf("%+v", r.Damaged)
	}
	if got := slices.MaxFunc(of(1), func(a, b damage) int { return int(a.Last-a.First) - int(b.Last-b.First) }); got != of(1)[0] {
		t.Errorf("not the oldest were joined, but %+v", got)
	}
}

// FuzzScanBlock: whatever is in a block, what is whole of it is a block without damage that has the same numbers.
func FuzzScanBlock(f *testing.F) {
	entry := func(number uint64, subject, body string) []byte {
		b := binary.LittleEndian.AppendUint32(nil, uint32(entryHead+len(subject)+len(body)+entrySum))
		b = binary.LittleEndian.AppendUint64(b, number)
		b = binary.LittleEndian.AppendUint64(b, 5)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(subject)))
		b = append(append(b, subject...), body...)
		return binary.LittleEndian.AppendUint64(b, newBlockSum("s", 1).of(b, len(subject), entryHead+len(subject), len(b)))
	}
	three := slices.Concat(entry(1, "lw.default.0.a", "\x01 one"), entry(1|entryDeletes, "", ""), appendGone(nil, "s", 1, 2, time.Unix(1, 0)))
	f.Add(three)
	f.Add(slices.Concat(three, []byte("other"), entry(9, "lw.default.0.b", "\x01 two"), three[:20]))
	f.Add(slices.Concat(make([]byte, 100), entry(9, "lw.default.0.b", "\x01 two"), []byte{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := scanBlock("s", 1, b)
		var whole []byte
		for _, p := range s.whole {
			whole = append(whole, b[p.from:p.to]...)
		}
		again := scanBlock("s", 1, whole)
		if len(again.holes) > 0 || again.first != s.first || again.last != s.last || (len(whole) < len(b)) != (len(s.holes) > 0) {
			t.Errorf("%+v is %+v once more", s, again)
		}
	})
}

// TestDamagedIsDropped: what is noted goes once all that it could tell is told otherwise, and not before.
func TestDamagedIsDropped(t *testing.T) {
	old := time.Now().Add(-2 * time.Hour)
	for _, tt := range []struct {
		name  string
		d     damage
		first uint64
		last  uint64
		age   time.Duration
		gone  bool
	}{
		{"in the midst", damage{First: 5, Last: 7, Time: old}, 1, 10, time.Hour, false},
		{"at the front, found just now", damage{First: 1, Last: 7, Time: time.Now()}, 8, 10, time.Hour, false},
		{"at the front, kept for ever", damage{First: 1, Last: 7, Time: old}, 8, 10, -1, false},
		{"in part at the front", damage{First: 5, Last: 7, Time: old}, 7, 10, time.Hour, false},
		{"long ago", damage{First: 1, Last: 7, Time: old}, 8, 10, time.Hour, true},
		{"numbers that are given again", damage{First: 5, Last: 7, Time: time.Now()}, 1, 4, time.Hour, true},
		{"of another partition", damage{Partition: 1, First: 5, Last: 7, Time: old}, 8, 10, time.Hour, false},
	} {
		r := &record{Damaged: []damage{tt.d}}
		r.dropDamage(0, &state{First: tt.first, Last: tt.last}, tt.age)
		if gone := len(r.Damaged) == 0; gone != tt.gone {
			t.Errorf("%s: dropped is %v", tt.name, gone)
		}
	}
}
