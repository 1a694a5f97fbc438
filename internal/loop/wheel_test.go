package loop

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// A model is the wheel as a plain list.
type model struct {
	t      *testing.T
	l      *Loop // not running: only its wheel and its clock
	timers []*modelTimer
	fired  int
}

type modelTimer struct {
	Timer
	m    *model
	at   time.Duration // when it should fire; negative: not armed
	fire func(t *modelTimer)
}

func newModel(t *testing.T) *model {
	l := &Loop{start: time.Unix(0, 0)}
	l.now = l.start
	return &model{t: t, l: l}
}

func (m *model) timer() *modelTimer {
	mt := &modelTimer{m: m, at: -1}
	mt.Owner = mt
	m.timers = append(m.timers, mt)
	return mt
}

func (mt *modelTimer) Fire(now time.Time) {
	since := now.Sub(mt.m.l.start)
	switch {
	case mt.at < 0:
		mt.m.t.Errorf("a timer fired that was not armed")
	case since < mt.at:
		mt.m.t.Errorf("a timer fired %v too early", mt.at-since)
	}
	mt.m.fired++
	mt.at = -1
	if mt.fire != nil {
		mt.fire(mt)
	}
}

func (mt *modelTimer) arm(d time.Duration) {
	mt.m.l.After(d, &mt.Timer)
	mt.at = mt.m.l.now.Sub(mt.m.l.start) + max(d, 0)
}

func (mt *modelTimer) stop() {
	mt.Stop()
	mt.at = -1
}

// advance lets the clock jump to since and checks what is left.
func (m *model) advance(since time.Duration) {
	m.l.now = m.l.start.Add(since)
	m.l.wheel.advance(since, m.l.now)
	first, last := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for _, mt := range m.timers {
		if mt.Armed() != (mt.at >= 0) {
			m.t.Fatalf("at %v: armed is %v, but it is due at %v", since, mt.Armed(), mt.at)
		}
		if mt.at < 0 {
			continue
		}
		if mt.at+tick <= since {
			m.t.Fatalf("at %v: a timer of %v has not fired", since, mt.at)
		}
		first, last = min(first, mt.at), min(last, mt.at+tick)
	}
	next, ok := m.l.wheel.next()
	switch {
	case first < math.MaxInt64 && !ok:
		m.t.Fatalf("at %v: nothing is due, but a timer waits for %v", since, first)
	case ok && next > last:
		m.t.Fatalf("at %v: next is %v, but a timer must fire before %v", since, next, last)
	case ok && next <= since/tick*tick:
		m.t.Fatalf("at %v: next is %v, which would make the loop spin", since, next)
	}
}

// spread is a duration of any magnitude up to 2^n ns.
func spread(r *rand.Rand, n int) time.Duration { return time.Duration(r.Int64N(1 << (1 + r.IntN(n)))) }

// TestWheelModel compares the wheel with the list over random operations.
func TestWheelModel(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Logf("seed %d", seed) // the last one is the one that failed
		r := rand.New(rand.NewPCG(seed, 1))
		m := newModel(t)
		for range 50 {
			mt := m.timer()
			switch r.IntN(4) {
			case 0: // arms itself
				mt.fire = func(mt *modelTimer) { mt.arm(tick + spread(r, 56)) }
			case 1: // stops and arms others, of the same slot too
				mt.fire = func(*modelTimer) {
					m.timers[r.IntN(len(m.timers))].stop()
					m.timers[r.IntN(len(m.timers))].arm(tick + spread(r, 40))
				}
			}
		}
		since := time.Duration(0)
		for range 2000 {
			switch mt := m.timers[r.IntN(len(m.timers))]; r.IntN(4) {
			case 0, 1:
				mt.arm(spread(r, 56) - time.Second)
			case 2:
				mt.stop()
			default:
				since += spread(r, 50) // up to 13 days: over several levels at once
				m.advance(since)
			}
		}
		if t.Failed() {
			return
		}
		if m.fired < 100 {
			t.Fatalf("only %d timers fired", m.fired)
		}
	}
}

// TestWheelEdges arms timers around every border between levels, from every
// side of them.
func TestWheelEdges(t *testing.T) {
	for level := range wheelLevels + 1 {
		border := time.Duration(1<<(level*wheelBits)) * tick
		for _, start := range []time.Duration{0, border - 2*tick, border - tick, border, 3*border + tick} {
			for _, d := range []time.Duration{border - 1, border, border + 1, border + tick, 64*border - tick, 64 * border, 65 * border} {
				m := newModel(t)
				m.advance(max(start, 0))
				mt := m.timer()
				mt.arm(d)
				due := mt.at
				m.advance(due - 1)
				if !mt.Armed() {
					t.Fatalf("start %v, d %v: fired early", start, d)
				}
				m.advance(due + tick - 1)
				if mt.Armed() {
					t.Fatalf("start %v, d %v: did not fire", start, d)
				}
			}
		}
	}
}

// TestWheelSteps walks the clock as a loop does, from next to next, and counts
// the turns: timers share them, and higher levels add few.
func TestWheelSteps(t *testing.T) {
	m := newModel(t)
	for range 1000 {
		mt := m.timer()
		mt.arm(time.Duration(rand.Int64N(int64(25 * time.Second))))
		mt.fire = func(mt *modelTimer) { // rounded, as heartbeats are
			const grain = 250 * time.Millisecond
			mt.arm(25*time.Second - m.l.now.Sub(m.l.start)%grain)
		}
	}
	m.advance(26 * time.Second)
	turns, end := 0, m.l.now.Add(time.Minute)
	for m.l.now.Before(end) {
		next, _ := m.l.wheel.next()
		m.advance(next)
		turns++
	}
	if most := 60*4 + 80; turns > most || m.fired < 3000 {
		t.Errorf("%d turns a minute and %d fired, want at most %d turns", turns, m.fired, most)
	}
}

func TestWheelFar(t *testing.T) {
	m := newModel(t)
	mt := m.timer()
	m.advance(time.Hour)
	m.l.After(math.MaxInt64, &mt.Timer)
	mt.at = farthest
	for since := time.Hour; since < farthest; since *= 2 {
		m.advance(since)
	}
	if !mt.Armed() {
		t.Error("a timer for ever fired")
	}
}
