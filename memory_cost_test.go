package longwire

import (
	"fmt"
	"runtime"
	"testing"
)

// TestMemoryCost measures what history takes and holds it against what is counted:
// the bound in bytes would mean little otherwise.
func TestMemoryCost(t *testing.T) {
	const n = 20_000
	for _, tt := range []struct {
		name   string
		o      MemoryOptions
		p      func(i int) *Publication
		forget bool
	}{
		{"publications", MemoryOptions{}, func(i int) *Publication {
			return &Publication{Channel: fmt.Sprint("chat.room", i%100), Data: make([]byte, 128)}
		}, false},
		{"full rings", MemoryOptions{Count: 255}, func(i int) *Publication {
			return &Publication{Channel: fmt.Sprint("chat.room", i%100), Data: make([]byte, 128)}
		}, false},
		{"channels", MemoryOptions{}, func(i int) *Publication {
			return &Publication{Channel: fmt.Sprint("chat.room", i)}
		}, false},
		{"channels that lost all", MemoryOptions{}, func(i int) *Publication {
			return &Publication{Channel: fmt.Sprint("chat.room", i)}
		}, true},
		{"keys", MemoryOptions{Count: -1}, func(i int) *Publication {
			return &Publication{Channel: "a", Key: fmt.Sprint("key number ", i)}
		}, false},
		{"headers", MemoryOptions{}, func(i int) *Publication {
			return &Publication{Channel: fmt.Sprint("chat.room", i%100), Headers: map[string]string{"a": fmt.Sprint(i), "b": fmt.Sprint(i)}}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := NewMemory(&tt.o).(*memory)
			defer m.Close(t.Context())
			before := memHeap()
			for i := range n {
				p := tt.p(i)
				m.Publish(p, func(*Publication, error) {})
				if tt.forget {
					_ = m.Forget(t.Context(), p.Channel)
				}
			}
			took, counted := memHeap()-before, m.log.bytes+m.keys.bytes
			t.Logf("%d bytes each; %d are counted", took/n, counted/n)
			if took > counted*5/4 || took < counted*2/3 {
				t.Errorf("%d bytes are counted, %d are taken", counted, took)
			}
			runtime.KeepAlive(m)
		})
	}
}

// memHeap returns the bytes in use.
func memHeap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
