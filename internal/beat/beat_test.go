package beat

import (
	"math"
	"testing"
	"time"
)

const sec = time.Second

// base is a time on the grain of a quarter of a second.
var base = epoch.Add(time.Hour)

func TestLook(t *testing.T) {
	for _, tt := range []struct {
		name       string
		ping, dead time.Duration
		silence    time.Duration
		mortal     bool
		do         Do
		again      time.Duration
	}{
		{"heard lately", 0, 0, 5 * sec, true, Wait, 20 * sec},
		{"heard just now", 0, 0, 0, true, Wait, 25 * sec},
		{"silent", 0, 0, 25 * sec, true, Ping, 10 * sec},
		{"dead", 0, 0, 35 * sec, true, End, 0},
		{"late, and dead", 0, 0, time.Hour, true, End, 0},
		{"silent, need not answer", 0, 0, 25 * sec, false, Ping, 25 * sec},
		{"silent for long, need not answer", 0, 0, time.Hour, false, Ping, 25 * sec},
		{"several pings", 10 * sec, 35 * sec, 20 * sec, true, Ping, 10 * sec},
		{"the last of several", 10 * sec, 35 * sec, 30 * sec, true, Ping, 5 * sec},
		{"death first", 20 * sec, 10 * sec, 5 * sec, true, Wait, 5 * sec},
		{"dead first", 20 * sec, 10 * sec, 10 * sec, true, End, 0},
		{"no pings", -1, 10 * sec, 4 * sec, true, Wait, 6 * sec},
		{"no pings, and need not answer", -1, 10 * sec, 40 * sec, false, Wait, 10 * sec},
		{"no death", 5 * sec, -1, time.Hour, true, Ping, 5 * sec},
		{"a century", math.MaxInt64, -1, 0, true, Wait, longest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := New(tt.ping, tt.dead)
			do, again := r.Look(base, At(base.Add(-tt.silence)), tt.mortal)
			if do != tt.do || again != tt.again {
				t.Errorf("%v and again in %v, want %v and %v", do, again, tt.do, tt.again)
			}
		})
	}
}

func TestBegin(t *testing.T) {
	for _, tt := range []struct {
		name       string
		ping, dead time.Duration
		silence    time.Duration
		want       time.Duration
		ok         bool
	}{
		{"usual", 0, 0, 0, 25 * sec, true},
		{"heard before", 0, 0, 5 * sec, 20 * sec, true},
		{"overdue", 0, 0, time.Hour, 0, true},
		{"death only", -1, 0, 0, 35 * sec, true},
		{"off", -1, -1, 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := New(tt.ping, tt.dead)
			if got, ok := r.Begin(base, At(base.Add(-tt.silence))); ok != tt.ok || ok && got != tt.want {
				t.Errorf("%v, %t, want %v, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// Many links look at the same moments, whatever they heard when, before the epoch too.
func TestRounding(t *testing.T) {
	for _, start := range []time.Time{base, epoch.Add(-time.Hour)} {
		up, down := map[time.Time]bool{}, map[time.Time]bool{}
		for ms := range 1000 {
			now := start.Add(time.Duration(ms)*time.Millisecond + 1)
			const d = 25 * sec
			u, w := Up(now, d, MaxGrain), Down(now, d, MaxGrain)
			if u < d || u >= d+MaxGrain || w > d || w <= d-MaxGrain {
				t.Fatalf("%v became %v and %v", d, u, w)
			}
			up[now.Add(u)], down[now.Add(w)] = true, true
		}
		if len(up) > 5 || len(down) > 5 {
			t.Errorf("%d and %d moments in a second", len(up), len(down))
		}
	}
	if d := Down(base, 0, sec); d != 0 {
		t.Errorf("%v", d)
	}
}

func TestGrain(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{
		0: time.Millisecond, 80 * time.Millisecond: 5 * time.Millisecond, 4 * sec: MaxGrain, time.Hour: MaxGrain,
	} {
		if got := Grain(interval); got != want {
			t.Errorf("of %v: %v, want %v", interval, got, want)
		}
	}
}

// The clock of a Moment goes round, and differences do not notice.
func TestMoment(t *testing.T) {
	round := epoch.Add(1 << 32 * time.Millisecond)
	for _, d := range []time.Duration{0, sec, longest} {
		if got := At(round.Add(-d / 2)).Since(round.Add(d / 2)); got != d {
			t.Errorf("%v, want %v", got, d)
		}
	}
}
