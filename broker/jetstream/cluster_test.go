package jetstream

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/longwire/longwire"
	"github.com/longwire/longwire/wire"
)

// A witness follows a broker and keeps what it hears.
type witness struct {
	t *testing.T

	mu    sync.Mutex
	feeds []longwire.Feed // guarded by mu
	news  chan struct{}   // capacity 1
}

func follow(t *testing.T, b *Broker) *witness {
	t.Helper()
	w := &witness{t: t, news: make(chan struct{}, 1)}
	ended := make(chan error)
	go func() {
		ended <- b.Follow(t.Context(), func(f longwire.Feed) {
			w.mu.Lock()
			w.feeds = append(w.feeds, f)
			w.mu.Unlock()
			wake(w.news)
		})
	}()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	w.until("a begin", func(fs []longwire.Feed) bool { return len(fs) >= b.Partitions() })
	return w
}

// until waits until what was heard is so.
func (w *witness) until(what string, so func([]longwire.Feed) bool) {
	w.t.Helper()
	late := time.After(patience)
	for {
		w.mu.Lock()
		ok := so(w.feeds)
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-w.news:
		case <-late:
			w.t.Fatalf("no %s; heard %v", what, w.feeds)
		}
	}
}

// hears waits for so many publications, and returns them as "number:channel=data".
func (w *witness) hears(n int) []string {
	w.t.Helper()
	var list []string
	w.until(fmt.Sprint(n, " publications"), func(fs []longwire.Feed) bool {
		list = list[:0]
		for _, f := range fs {
			for _, p := range f.Publications {
				list = append(list, fmt.Sprintf("%d:%s=%s", p.Number, p.Channel, p.Data))
			}
		}
		return len(list) >= n
	})
	return list
}

// beginsAgain waits until each partition has begun so often, and returns the last begins.
func (w *witness) beginsAgain(times, partitions int) []longwire.Feed {
	w.t.Helper()
	last := make([]longwire.Feed, partitions)
	w.until("begin", func(fs []longwire.Feed) bool {
		n := make([]int, partitions)
		for _, f := range fs {
			if len(f.Publications) == 0 && len(f.Forgotten) == 0 {
				n[f.Partition]++
				last[f.Partition] = f
			}
		}
		return slices.Min(n) >= times
	})
	return last
}

func say(t *testing.T, b *Broker, channel, data string) *longwire.Publication {
	t.Helper()
	p, err := publish(t, b, &longwire.Publication{Channel: channel, Kind: longwire.Text, Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// twins opens two brokers on one server.
func twins(t *testing.T, o Options) (a, b *Broker) {
	t.Helper()
	return open(t, &o), open(t, &o)
}

func TestTwoNodes(t *testing.T) {
	o := startOutside(t, nil).options()
	o.Classes = []longwire.Class{{Name: "live", Patterns: []string{"live.>"}, Count: -1}, {Name: "default"}}
	a, b := twins(t, o)
	if n := a.Partitions(); n != 16 {
		t.Errorf("new data has %d partitions in 2 classes", n)
	}
	wa, wb := follow(t, a), follow(t, b)
	first := say(t, a, "x", "1")
	say(t, b, "x", "2")
	say(t, a, "live.x", "3")
	for _, w := range []*witness{wa, wb} {
		got := w.hears(3)
		slices.Sort(got)
		if want := []string{"0:live.x=3", "1:x=1", "2:x=2"}; !slices.Equal(got, want) {
			t.Errorf("heard %v, want %v", got, want)
		}
	}
	if r := (&longwire.Range{Partition: b.Partition("x"), Channels: []string{"x"}, Epoch: first.Epoch, After: 1}); read(t, b, r) != "2:x=2 " {
		t.Errorf("the other node reads %q behind the first", read(t, b, r))
	}
	key := &longwire.Publication{Channel: "x", Key: "k", Data: []byte("4")}
	again := *key
	p, err := publish(t, a, key)
	if err != nil {
		t.Fatal(err)
	}
	if q, err := publish(t, b, &again); err != nil || q.Number != p.Number {
		t.Errorf("a key used on another node: %+v, %v", q, err)
	}
}

func TestForgetOnAnotherNode(t *testing.T) {
	o := startOutside(t, nil).options()
	a, b := twins(t, o)
	wa, wb := follow(t, a), follow(t, b)
	p := say(t, a, "x", "1")
	if err := a.Forget(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*witness{wa, wb} {
		w.until("word of what was forgotten", func(fs []longwire.Feed) bool {
			return slices.ContainsFunc(fs, func(f longwire.Feed) bool { return slices.Equal(f.Forgotten, []string{"x"}) && f.Last >= p.Number })
		})
	}
	// Both have the record now.
	say(t, b, "x", "2")
	for _, n := range []*Broker{a, b} {
		if got := read(t, n, &longwire.Range{Partition: p.Partition, Channels: []string{"x"}, Epoch: p.Epoch}); got != "gap(x,1) 2:x=2 " {
			t.Errorf("from the beginning: %q", got)
		}
	}
	// And both can change it.
	if err := b.Forget(t.Context(), "y"); err != nil {
		t.Fatal(err)
	}
	if err := a.Forget(t.Context(), "z"); err != nil {
		t.Fatal(err)
	}
	b.writing.Lock()
	r, err := b.keeper.load(t.Context())
	b.writing.Unlock()
	if err != nil || len(r.Forgotten) != 3 {
		t.Errorf("the record says %+v, %v", r, err)
	}
}

// TestClassesOfAnotherNode: a node that begins with other classes lays channels out for all; those that are there publish
// no more.
func TestClassesOfAnotherNode(t *testing.T) {
	o := startOutside(t, nil).options()
	a := open(t, &o)
	old := say(t, a, "x", "1")
	o.Classes = []longwire.Class{{Name: "other", Patterns: []string{"x"}}}
	b := open(t, &o)
	for {
		p, err := publish(t, a, &longwire.Publication{Channel: "x"})
		if wire.CodeOf(err) == wire.CodeUnavailable {
			break
		}
		if err != nil || p.Number > 10_000 {
			t.Fatal(p, err)
		}
	}
	if p := say(t, b, "x", "2"); p.Epoch == old.Epoch || p.Number != 1 {
		t.Errorf("the new node publishes %+v", p)
	}
	o.Partitions = 3
	if _, err := Open(t.Context(), &o); wire.CodeOf(err) != wire.CodeBadRequest {
		t.Errorf("another number of partitions: %v", err)
	}
}

// TestStricterNode: another node has a class keep less. All judge by that what somebody misses.
func TestStricterNode(t *testing.T) {
	o := startOutside(t, nil).options()
	o.Partitions = 1
	a := open(t, &o)
	var first *longwire.Publication
	for i := range 6 {
		if p := say(t, a, "x", fmt.Sprint(i)); i == 0 {
			first = p
		}
	}
	r := &longwire.Range{Channels: []string{"x"}, Epoch: first.Epoch, After: 1, Taken: time.Now()}
	if got := read(t, a, r); got != "2:x=1 3:x=2 4:x=3 5:x=4 6:x=5 " {
		t.Errorf("before: %q", got)
	}
	o.Classes = []longwire.Class{{Name: "default", Count: 2}}
	b := open(t, &o)
	for _, n := range []*Broker{a, b} {
		if got := read(t, n, r); got != "gap(x,3) 4:x=3 5:x=4 6:x=5 " {
			t.Errorf("after: %q", got)
		}
	}
}

func TestServerAway(t *testing.T) {
	out := startOutside(t, nil)
	o := out.options()
	o.Partitions = 1
	a, b := twins(t, o)
	wa, wb := follow(t, a), follow(t, b)
	p := say(t, a, "x", "1")
	wa.hears(1)
	out.stop()
	for _, n := range []*Broker{a, b} {
		for { // until the loss is noticed
			_, err := publish(t, n, &longwire.Publication{Channel: "x"})
			if wire.CodeOf(err) == wire.CodeUnavailable {
				break
			}
			if wire.CodeOf(err) != wire.CodeOutcomeUnknown {
				t.Fatalf("publishing to a server that is away: %v", err)
			}
		}
		for _, err := range n.Read(t.Context(), &longwire.Range{Channels: []string{"x"}}) {
			if wire.CodeOf(err) != wire.CodeUnavailable {
				t.Errorf("reading from a server that is away: %v", err)
			}
		}
	}
	out.start()
	for {
		if q, err := publish(t, b, &longwire.Publication{Channel: "x", Data: []byte("2")}); err == nil {
			if q.Number != 2 || q.Epoch != p.Epoch {
				t.Errorf("after a restart: %+v", q)
			}
			break
		} else if code := wire.CodeOf(err); code != wire.CodeUnavailable && code != wire.CodeOutcomeUnknown {
			t.Fatal(err)
		}
		connected(t, b)
	}
	for _, w := range []*witness{wa, wb} {
		if got := w.hears(2); !slices.Equal(got, []string{"1:x=1", "2:x=2"}) {
			t.Errorf("heard %v", got)
		}
	}
}

// TestServerRestartsUnderLoad: nobody misses anything that was acknowledged, or hears it twice, or out of order.
func TestServerRestartsUnderLoad(t *testing.T) {
	out := startOutside(t, nil)
	o := out.options()
	o.Partitions = 2
	a, b := twins(t, o)
	wa, wb := follow(t, a), follow(t, b)
	var mu sync.Mutex
	kept := map[string]bool{}
	enough := make(chan struct{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i, n := range []*Broker{a, b} {
		wg.Go(func() {
			for j := 0; ; j++ {
				select {
				case <-stop:
					return
				default:
				}
				p, err := publish(t, n, &longwire.Publication{Channel: fmt.Sprint("c.", j%5), Data: fmt.Append(nil, i, ".", j)})
				if err != nil {
					if code := wire.CodeOf(err); code != wire.CodeUnavailable && code != wire.CodeOutcomeUnknown {
						t.Errorf("publishing: %v", err)
					}
					connected(t, n)
					continue
				}
				mu.Lock()
				kept[fmt.Sprintf("%d:%s=%s", p.Number, p.Channel, p.Data)] = true
				if len(kept)%150 == 0 {
					select {
					case enough <- struct{}{}:
					default:
					}
				}
				mu.Unlock()
			}
		})
	}
	for range 2 {
		<-enough
		out.stop()
		out.start()
	}
	<-enough
	close(stop)
	wg.Wait()
	end := []*longwire.Publication{say(t, a, "end.0", ""), say(t, a, "end.1", ""), say(t, b, "end.2", ""), say(t, b, "end.3", "")}
	for _, w := range []*witness{wa, wb} {
		w.until("the end", func(fs []longwire.Feed) bool {
			return !slices.ContainsFunc(end, func(p *longwire.Publication) bool {
				return !slices.ContainsFunc(fs, func(f longwire.Feed) bool { return f.Partition == p.Partition && f.Last >= p.Number })
			})
		})
		last := make([]uint64, 2)
		heard := map[string]bool{}
		for _, f := range w.feeds {
			if f.Epoch != end[0].Epoch {
				t.Errorf("a feed of epoch %d, not %d", f.Epoch, end[0].Epoch)
			}
			for _, p := range f.Publications {
				if p.Number != last[p.Partition]+1 {
					t.Errorf("partition %d tells number %d after %d", p.Partition, p.Number, last[p.Partition])
				}
				last[p.Partition] = p.Number
				heard[fmt.Sprintf("%d:%s=%s", p.Number, p.Channel, p.Data)] = true
			}
		}
		for k := range kept {
			if !heard[k] {
				t.Errorf("%s was acknowledged and not told", k)
			}
		}
	}
}

// TestDataLost: the server comes back with nothing.
func TestDataLost(t *testing.T) {
	out := startOutside(t, nil)
	o := out.options()
	o.Partitions = 2
	a, b := twins(t, o)
	wa, wb := follow(t, a), follow(t, b)
	var p *longwire.Publication
	for i := range 5 {
		p = say(t, a, "x", fmt.Sprint(i))
	}
	wa.hears(5)
	wb.hears(5)
	if err := a.Forget(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	out.lose()
	var begins [][]longwire.Feed
	for _, w := range []*witness{wa, wb} {
		begins = append(begins, w.beginsAgain(2, 2))
	}
	epoch := begins[0][0].Epoch
	for _, list := range begins {
		for i, f := range list {
			if f.Epoch == p.Epoch || f.Epoch != epoch || f.Last != 0 || !slices.Contains(f.Earlier, longwire.EpochEnd{Epoch: p.Epoch}) {
				t.Errorf("partition %d begins again with %+v, before it was epoch %d", i, f, p.Epoch)
			}
		}
	}
	var q *longwire.Publication
	eventually(t, "a publication, once the connection is there again", func() (ok bool) {
		var err error
		q, err = publish(t, b, &longwire.Publication{Channel: "x", Data: []byte("new")})
		return wire.CodeOf(err) != wire.CodeUnavailable
	})
	if q == nil || q.Number != 1 {
		t.Errorf("after the loss: %+v", q)
	}
	if got := wa.hears(6)[5]; got != "1:x=new" {
		t.Errorf("heard %s", got)
	}
	r := &longwire.Range{Partition: p.Partition, Channels: []string{"x"}, Epoch: p.Epoch, After: 1}
	for _, n := range []*Broker{a, b} {
		if got := read(t, n, r); got != "gap(x,0) 1:x=new " {
			t.Errorf("a position of before reads %q", got)
		}
		// What was forgotten had numbers that are others' now.
		if got := read(t, n, &longwire.Range{Partition: p.Partition, Channels: []string{"x"}, Epoch: epoch}); got != "1:x=new " {
			t.Errorf("the beginning reads %q", got)
		}
	}
}

// TestOlderData: the server comes back with what it had before, and one partition gives numbers again.
func TestOlderData(t *testing.T) {
	out := startOutside(t, nil)
	o := out.options()
	o.Partitions = 2
	a := open(t, &o)
	lost, whole := "x", "y0"
	for i := 1; a.Partition(lost) == a.Partition(whole); i++ {
		whole = fmt.Sprint("y", i)
	}
	w := follow(t, a)
	say(t, a, lost, "1")
	kept := say(t, a, whole, "1")
	w.hears(2)
	out.stop()
	backup := t.TempDir()
	if err := os.CopyFS(filepath.Join(backup, "b"), os.DirFS(out.opts.StoreDir)); err != nil {
		t.Fatal(err)
	}
	out.start()
	for !published(t, a, lost) {
	}
	heard := w.hears(3)
	out.stop()
	if err := os.RemoveAll(out.opts.StoreDir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(out.opts.StoreDir, os.DirFS(filepath.Join(backup, "b"))); err != nil {
		t.Fatal(err)
	}
	out.start()
	f := w.beginsAgain(2, 2)
	if g := f[kept.Partition]; g.Last != 1 || !slices.Contains(g.Earlier, longwire.EpochEnd{Epoch: kept.Epoch, Last: 1}) {
		t.Errorf("the partition that lost nothing begins with %+v", g)
	}
	if g := f[1-kept.Partition]; g.Last != 1 || !slices.Contains(g.Earlier, longwire.EpochEnd{Epoch: kept.Epoch}) {
		t.Errorf("the partition that has lost something begins with %+v, after %v", g, heard)
	}
	if f[0].Epoch == kept.Epoch || f[0].Epoch != f[1].Epoch {
		t.Errorf("the epochs are %d and %d after %d", f[0].Epoch, f[1].Epoch, kept.Epoch)
	}
}

// published publishes if the server is there.
func published(t *testing.T, b *Broker, channel string) bool {
	_, err := publish(t, b, &longwire.Publication{Channel: channel, Data: []byte("again")})
	if err != nil {
		connected(t, b)
	}
	return err == nil
}

// connected waits for the connection that publishes, if its loss was noticed.
func connected(t *testing.T, b *Broker) {
	c := b.writes.nc.StatusChanged(nats.CONNECTED)
	defer b.writes.nc.RemoveStatusListener(c)
	if b.writes.nc.IsConnected() {
		return
	}
	select {
	case <-c:
	case <-time.After(patience):
		t.Error("no connection")
	}
}

// TestSameNumberAgain: the last number is as high as before, but it is another publication's.
func TestSameNumberAgain(t *testing.T) {
	o := startOutside(t, nil).options()
	o.Partitions = 1
	b := open(t, &o)
	say(t, b, "x", "1")
	say(t, b, "x", "2")
	old := b.record.Load()
	stamp, err := b.stampOf(t.Context(), b.parts[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	v, err := b.survey(t.Context(), old, []standing{{1, stamp}})
	if err != nil || v.lost[0] || v.record.epoch() != old.epoch() {
		t.Fatalf("nothing is lost, but %+v, %v", v, err)
	}
	v, err = b.survey(t.Context(), old, []standing{{1, stamp.Add(-time.Second)}})
	if err != nil || !v.lost[0] || v.record.epoch() == old.epoch() || v.record.reaches(0, old.epoch(), 1) {
		t.Fatalf("number 1 is another, but %+v, %v", v, err)
	}
}

// TestBytesOfAnotherNode: what goes for want of room because another node publishes is told, too, also if what has gone was
// larger than anything that this node knows of.
func TestBytesOfAnotherNode(t *testing.T) {
	o := startOutside(t, nil).options()
	o.Partitions = 1
	o.Classes = []longwire.Class{{Name: "default", Bytes: 64 << 10}}
	a := open(t, &o)
	large := strings.Repeat("x", 5000)
	first := say(t, a, "x", large)
	for range 10 {
		say(t, a, "x", large)
	}
	b := open(t, &o) // which has seen none of those
	r := &longwire.Range{Channels: []string{"x"}, Epoch: first.Epoch, After: first.Number, Taken: time.Now(), Limit: 1}
	if got := read(t, b, r); !strings.HasPrefix(got, "2:x=") {
		t.Fatalf("before anything has gone: %.20q", got)
	}
	for { // until a small one has driven out two large ones, and there is room again
		say(t, a, "y", "small")
		if s, err := a.stateOf(t.Context(), a.parts[0], ""); err != nil || s.First > 2 {
			break
		} else if s.First == 2 && s.Bytes < 62<<10 {
			say(t, a, "x", large)
		}
	}
	if got := read(t, b, r); !strings.HasPrefix(got, "gap(x,") {
		t.Errorf("after: %.20q", got)
	}
}
