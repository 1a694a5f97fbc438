package linktest

import (
	"fmt"
	"os"
	"runtime"
)

// A remainder is what a process holds.
type remainder struct{ goroutines, descriptors int }

// left counts goroutines, and descriptors where the system lists them.
func left() remainder {
	fds, _ := os.ReadDir("/proc/self/fd")
	return remainder{runtime.NumGoroutine(), len(fds)}
}

// over reports whether there is more than before. A few more goroutines may
// wait for work by chance, and are no leak of 200.
func (r remainder) over(before remainder) bool {
	return r.goroutines > before.goroutines+10 || r.descriptors > before.descriptors+2
}

func (r remainder) String() string {
	return fmt.Sprintf("%d goroutines and %d descriptors", r.goroutines, r.descriptors)
}
