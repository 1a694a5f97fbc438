package server

import (
	"testing"
	"time"
)

// Any negative time is never, as longwire.Close and wire.Error have it, and a
// short one is not at once.
func TestRetry(t *testing.T) {
	for _, tt := range []struct {
		name  string
		d     time.Duration
		again bool
		want  string
	}{
		{"at will", 0, true, `,"retry":0`},
		{"the code says never", 0, false, `,"retry":-1`},
		{"never", -1, true, `,"retry":-1`},
		{"never, in seconds", -time.Second, true, `,"retry":-1`},
		{"soon", time.Microsecond, true, `,"retry":1`},
		{"later", 1500 * time.Millisecond, false, `,"retry":1500`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(appendRetry(nil, tt.d, tt.again)); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
