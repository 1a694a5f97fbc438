package longwire

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// An ask is a question that takes a second, alone and together.
type ask struct {
	number uint64
	again  int  // what together returns
	refuse bool // it has to be answered alone
	alones *atomic.Int32
}

func (a *ask) alone(context.Context) any {
	a.alones.Add(1)
	time.Sleep(time.Second)
	return a.number
}

func (a *ask) joins() (kind, uint64) { return kind{what: "ask"}, a.number }

func (a *ask) together(_ context.Context, all []*inquiry, answer func(*inquiry, any)) int {
	time.Sleep(time.Second)
	for _, q := range all {
		if o := q.question.(*ask); !o.refuse {
			answer(q, o.number)
		}
	}
	return a.again
}

// deskRig is a desk whose questions are asked on a loop.
func deskRig(t *testing.T) (d *desk, ask func(key string, q question, told func(any))) {
	e, err := NewEngine(&EngineOptions{Loops: 1, Goroutines: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	d = &desk{ctx: context.Background(), many: 4}
	l := e.Loops().Loops()[0]
	return d, func(key string, q question, told func(any)) { onLoop(l, func() { d.ask(l, key, q, told) }) }
}

func onLoop(l *loop.Loop, f func()) {
	done := make(chan struct{})
	l.Post(func(time.Time) { f(); close(done) })
	<-done
}

// Many who stand near one another are answered together; who comes meanwhile waits for the next, and a little for those who will ask on.
func TestDesk(t *testing.T) {
	for _, test := range []struct {
		name   string
		again  int           // will ask on, and do not
		refuse int           // have to be answered alone
		want   time.Duration // until all are answered
	}{
		{"all at once", 0, 0, 3 * time.Second},
		{"waits for those who ask on", 40, 0, 3*time.Second + askAgain},
		{"alone, at the same time", 0, 8, 3 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, say := deskRig(t)
				var alones, told atomic.Int32
				var took atomic.Int64
				began := time.Now()
				heard := func(any) { told.Add(1); took.Store(int64(time.Since(began))) }
				for i := range deskReads { // all are busy with what is asked alone
					say(fmt.Sprint("first ", i), &ask{uint64(i) << 40, 0, false, &alones}, heard)
				}
				synctest.Wait()
				for i := range 40 {
					say(fmt.Sprint("group ", i), &ask{1 << 50, test.again, i < test.refuse, &alones}, heard)
				}
				time.Sleep(1500 * time.Millisecond) // the group is being answered
				for i := range 2 {
					say(fmt.Sprint("late ", i), &ask{1 << 50, 0, false, &alones}, heard)
				}
				time.Sleep(time.Minute)
				if n := told.Load(); n != deskReads+42 {
					t.Errorf("%d were told", n)
				}
				if n, want := alones.Load(), int32(deskReads+test.refuse+2); n != want {
					t.Errorf("%d were answered alone, want %d", n, want)
				}
				if got := time.Duration(took.Load()); got != test.want {
					t.Errorf("that took %v, want %v", got, test.want)
				}
				if n := d.reads.Load(); n != int64(deskReads+1+test.refuse+2) {
					t.Errorf("%d reads", n)
				}
			})
		})
	}
}
