package loop

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestPostBound fills the inbox of a loop that is busy.
func TestPostBound(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		l := w.g.loops[0]
		began, goOn := make(chan struct{}), make(chan struct{})
		l.Post(func(time.Time) { close(began); <-goOn })
		<-began
		ran := 0
		task := func(time.Time) { ran++ }
		n := 0
		for l.Post(task) {
			n++
		}
		if n != maxTasks {
			w.Errorf("%d tasks were taken, want %d", n, maxTasks)
		}
		if !l.PostTask(taskFunc(task)) {
			w.Error("PostTask was refused at Post's bound")
		}
		close(goOn)
		on(l, func() {})
		if ran != maxTasks+1 {
			w.Errorf("%d tasks ran, want %d", ran, maxTasks+1)
		}
		if !l.Post(task) {
			w.Error("Post was refused by an empty inbox")
		}
	})
}

// TestPostOrder has many goroutines post, and tasks post tasks: each keeps
// its order, and nothing is lost between being awake and asleep.
func TestPostOrder(t *testing.T) {
	forEachPoller(t, 1, func(w *world) {
		l := w.g.loops[0]
		const posters, each = 8, 2000
		got := make([][]int, posters)
		var wg, done sync.WaitGroup
		done.Add(posters * each)
		for p := range posters {
			wg.Go(func() {
				for i := range each {
					run := func(time.Time) {
						got[p] = append(got[p], i)
						l.must(taskFunc(func(time.Time) { done.Done() }))
					}
					for !l.Post(run) {
					}
					if i%100 == 0 {
						on(l, func() {}) // lets it fall asleep in between
					}
				}
			})
		}
		wg.Wait()
		done.Wait()
		for p := range got {
			if len(got[p]) != each || !slices.IsSorted(got[p]) {
				w.Errorf("poster %d: %d tasks ran, want %d in order", p, len(got[p]), each)
			}
		}
	})
}

// TestPostWhileClosing has every task that was accepted run, and none after.
func TestPostWhileClosing(t *testing.T) {
	for range 50 {
		g, err := New(&Options{Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		var accepted, ran [2]int
		var wg sync.WaitGroup
		for i, l := range g.Loops() {
			wg.Go(func() {
				for l.Post(func(time.Time) { ran[i]++ }) {
					accepted[i]++
					if accepted[i]%100 == 0 {
						runtime.Gosched()
					}
				}
			})
		}
		g.Close(t.Context())
		wg.Wait()
		if accepted != ran {
			t.Fatalf("%d tasks were accepted and %d ran", accepted, ran)
		}
	}
}

func TestTimersOfALoop(t *testing.T) {
	inVirtualTime(t, 2, func(w *world) {
		l := w.g.loops[0]
		start := time.Now()
		fired := make(chan time.Time)
		timer := &Timer{}
		timer.Owner = fireFunc(func(now time.Time) {
			l.After(25*time.Second, timer)
			fired <- now
		})
		on(l, func() { l.After(25*time.Second, timer) })
		for i := range 144 { // an hour of heartbeats
			at := (<-fired).Sub(start)
			if want := time.Duration(i+1) * 25 * time.Second; at < want || at > want+time.Duration(i+1)*tick {
				t.Fatalf("heartbeat %d came at %v, want %v", i, at, want)
			}
		}
		on(l, timer.Stop)
		time.Sleep(time.Hour)
		if timer.Armed() {
			t.Error("a stopped timer is armed")
		}
	})
}

type fireFunc func(now time.Time)

func (f fireFunc) Fire(now time.Time) { f(now) }
