package torture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"time"
)

// A lap is one server with its data, killed so many times while publishers and subscribers use it, and the judgement.
//
// Its end is orderly: publishers stop when all they began has an outcome, and every subscription from now has been told once where
// it stands, because one that began behind a marker would not be owed it. Then a marker is published to each
// channel, and waited for by every subscription that the channel is for; the server is killed once more; and a
// second marker shows that nothing came again behind the first. Then history is read, and probed.
type lap struct {
	// Immutable.
	o        Options
	seed     uint64
	layout   Layout
	h        *History
	srv      *server // owned by run
	dir      string  // for what is to be left behind
	tally    *tally
	pacing   *pacing
	stop     chan struct{} // closed when publishers are to stop
	hurry    chan struct{} // closed when nobody is to dawdle any more, or to cut his links
	channels []string
	standing *roll[laneKey] // the subscriptions from now that were never told yet where they stand; set by run, before there are any

	rng  *rand.Rand        // owned by run
	ends map[string]string // of what was written down of each channel; owned by run, while archiving by that

	mu sync.Mutex
	// Guarded by mu.
	markers *roll[marker] // nil before the end
	failed  error         // what went wrong beside what is judged
}

// A marker is a publication that somebody waits for.
type marker struct {
	who, name, channel string
	id                 ID
}

// Times.
const (
	settleTime = 90 * time.Second // for publishers to stop
	drainTime  = 90 * time.Second // for all to have the markers, likewise
)

func newLap(o Options, seed uint64, dir string) (*lap, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	l := &lap{
		o: o, seed: seed, layout: o.Layouts[rng.IntN(len(o.Layouts))], dir: dir, h: NewHistory(), tally: newTally(), pacing: newPacing(), rng: rng, ends: map[string]string{},
		stop: make(chan struct{}), hurry: make(chan struct{}),
		channels: []string{"quiet", "deep.a.b", "deep.a.c", "room.0", "room.1", "room.2", "room.3", "room.4", "room.5", "room.6", "room.7"},
	}
	config, err := l.configure()
	if err != nil {
		return nil, err
	}
	l.srv, err = newServer(o.Binary, []string{"--config", config, "--data", cmp.Or(o.Data, filepath.Join(dir, "data"))})
	return l, err
}

func (l *lap) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var readers, publishers sync.WaitGroup
	defer l.srv.end()
	defer readers.Wait()
	defer publishers.Wait()
	defer cancel()
	l.log(l.layout.String())
	if err := l.start(ctx); err != nil {
		return err
	}
	all := l.subscribers()
	l.standing = newRoll("subscriptions to stand somewhere", lanes(all, "now"))
	for _, s := range all {
		readers.Go(func() { s.run(ctx) })
	}
	for i := range l.o.Publishers {
		publishers.Go(l.publisher(ctx, i+1))
	}
	archived := l.archive(ctx, &readers)
	if err := l.kills(ctx); err != nil {
		return l.explained(err)
	}
	l.log("all kills are done")
	for l.pacing.kept() < l.o.Least {
		if err := l.wait(ctx, 50*time.Millisecond); err != nil {
			return l.explained(err)
		}
	}
	close(l.stop)
	stopped := make(chan struct{})
	go func() { // ends with the publishers, which are waited for
		defer close(stopped)
		publishers.Wait()
	}()
	if err := within(ctx, settleTime, "publishers to stop", stopped); err != nil {
		return l.explained(err)
	}
	l.log("publishers have stopped")
	close(l.hurry)
	late := l.drain(ctx, all)
	l.log("subscribers have come to the end")
	late = errors.Join(late, l.audit(ctx, archived, all))
	cancel()
	readers.Wait()
	err := l.judge(late)
	l.log("judged")
	return err
}

// log tells how far a lap has come.
func (l *lap) log(how string) {
	fmt.Fprintf(l.o.Log, "seed %d: %5.1fs  %s\n", l.seed, time.Since(l.h.began).Seconds(), how)
}

// drain brings everybody to the end. That somebody is late is not an end of it: what he lacks is to be told.
func (l *lap) drain(ctx context.Context, all []reader) error {
	h := l.client()
	defer h.CloseIdleConnections()
	late := l.standing.wait(ctx, drainTime)
	for n := 0; n < 2 && late == nil; n++ {
		if n > 0 {
			if err := l.restart(ctx); err != nil {
				return err
			}
		}
		markers := l.expect(all, n)
		for i, channel := range l.channels {
			l.publish(ctx, h, Event{Who: "driver", Keyed: true, Channel: channel, ID: markerID(n, i)})
		}
		late = markers.wait(ctx, drainTime)
	}
	return late
}

func markerID(round, channel int) ID { return ID{0, uint32(100*(1+round) + channel)} }

// expect waits for markers that are not published yet.
func (l *lap) expect(all []reader, round int) *roll[marker] {
	var markers []marker
	for _, k := range lanes(all, "all", "now") {
		for i, channel := range l.channels {
			if matches(k.name, channel) {
				markers = append(markers, marker{k.who, k.name, channel, markerID(round, i)})
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.markers = newRoll("subscribers to come to the end", markers)
	return l.markers
}

// arrived hears what somebody received.
func (l *lap) arrived(who, name, channel string, id ID) {
	l.mu.Lock()
	markers := l.markers
	l.mu.Unlock()
	if markers != nil {
		markers.cross(marker{who, name, channel, id})
	}
}

// within waits until something is done.
func within(ctx context.Context, d time.Duration, what string, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return fmt.Errorf("waited %v for %s", d, what)
	}
}

// fail notes what went wrong beside what is judged; the first of it.
func (l *lap) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
}

// sleep waits, unless there is hurry, or nobody to wait for.
func (l *lap) sleep(ctx context.Context, d time.Duration) {
	if d < time.Millisecond && d > 0 {
		d = time.Millisecond
	}
	select {
	case <-time.After(d):
	case <-l.hurry:
		// Whoever comes here in a circle would not let others work.
		select {
		case <-time.After(min(d, time.Millisecond)):
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (l *lap) stopped() bool { return closed(l.stop) }

// life returns after what time a reader cuts its link.
func (l *lap) life(rng *rand.Rand) time.Duration {
	if closed(l.hurry) {
		return time.Hour
	}
	return time.Duration(rng.ExpFloat64() * float64(6*time.Second))
}

// channel returns where to publish next. Some channels are busier than others, so that what is kept of all does not hang together,
// and one is quiet, so that there is something to hear but publications.
func (l *lap) channel(rng *rand.Rand) string {
	if rng.IntN(300) == 0 {
		return l.channels[0]
	}
	n := len(l.channels) - 1
	return l.channels[1+min(rng.IntN(n), rng.IntN(n))]
}

// client returns an HTTP client with connections of its own.
func (l *lap) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: silence}
}
