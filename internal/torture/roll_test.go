package torture

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestRoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoll("guests", []laneKey{{"ann", "room.1"}, {"ben", "room.*"}})
		r.cross(laneKey{"ann", "room.1"})
		r.cross(laneKey{"ann", "room.1"})
		r.cross(laneKey{"eve", "room.1"})
		err := r.wait(t.Context(), time.Minute)
		if _, late := errors.AsType[*lateError](err); !late || err.Error() != "torture: waited 1m0s for guests: {ben room.*}" {
			t.Errorf("with one left: %v", err)
		}
		began := time.Now()
		go func() {
			time.Sleep(time.Second)
			r.cross(laneKey{"ben", "room.*"})
		}()
		if err := r.wait(t.Context(), time.Minute); err != nil || time.Since(began) != time.Second {
			t.Errorf("with the last one after a second: %v, after %v", err, time.Since(began))
		}
		if err := newRoll[marker]("nobody", nil).wait(t.Context(), 0); err != nil {
			t.Errorf("with none: %v", err)
		}
	})
}
