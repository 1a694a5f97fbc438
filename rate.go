package longwire

import (
	"time"

	"github.com/longwire/longwire/wire"
)

// A rate is a bucket of frames: a session may send as many at once as it may
// send in a second, and goes on with that many per second.
type rate struct {
	used  float32 // frames that were taken out and have not come back
	stamp uint32  // when, in ms of Unix time
}

// allow takes one frame out, if there is one.
func (r *rate) allow(now time.Time, perSecond int) bool {
	if perSecond < 0 {
		return true
	}
	ms := uint32(now.UnixMilli())
	if since := ms - r.stamp; since > 0 {
		r.used = max(0, r.used-float32(since)*float32(perSecond)/1000)
		r.stamp = ms
	}
	if r.used+1 > float32(perSecond) {
		return false
	}
	r.used++
	return true
}

func (r *rate) refusal(perSecond int) *wire.Error {
	return &wire.Error{
		Code:    wire.CodeRateLimited,
		Message: wire.Errorf(wire.CodeRateLimited, "more frames came than the %d in a second that a session may send; this one was not taken up: wait, then send it again", perSecond).Message,
		Retry:   max(time.Millisecond, time.Second/time.Duration(max(1, perSecond))),
	}
}
