package leak

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A set maps an id to what it stands for: a goroutine's number to its stack, or a descriptor's number
// together with its target to nothing more, because numbers are used again.
type set map[string]string

// signalLoop is the one goroutine that the standard library starts at need and keeps for good
// (os/signal, at the first Notify).
const signalLoop = "os/signal.signal_recv("

// goroutines returns the stacks of all goroutines but the caller's.
func goroutines() set {
	found := set{}
	stacks := strings.Split(allStacks(), "\n\n")
	for _, s := range stacks[1:] { // the first is the caller's
		head, body, _ := strings.Cut(s, "\n")
		id, state, _ := strings.Cut(strings.TrimPrefix(head, "goroutine "), " ")
		if !strings.Contains(body, signalLoop) {
			found[id] = state + "\n" + body
		}
	}
	return found
}

func allStacks() string {
	for size := 64 << 10; ; size *= 2 {
		b := make([]byte, size)
		if n := runtime.Stack(b, true); n < size {
			return string(b[:n])
		}
	}
}

// descriptors returns the open descriptors; none where the system does not tell.
func descriptors() set {
	const dir = "/proc/self/fd"
	found := set{}
	d, err := os.Open(dir)
	if err != nil {
		return found
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return found
	}
	for _, n := range names {
		// The target of d itself names this directory by the process's number; what is gone by now has none.
		target, err := os.Readlink(filepath.Join(dir, n))
		if err == nil && !(strings.HasPrefix(target, "/proc/") && strings.HasSuffix(target, "/fd")) {
			found[n+" "+target] = "open"
		}
	}
	return found
}
