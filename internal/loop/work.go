package loop

import "sync"

// A Worker is work that may block.
type Worker interface {
	Work()
}

// maxIdle bounds the goroutines that wait for work, at two or three megabytes.
// A turn of each loop can give work to 256 sockets at once, and the next turn
// comes before all have done.
const maxIdle = 1024

// A crew is the goroutines that handlers run on. One that has done its work
// waits for more, the latest first: its stack has grown to what handlers need,
// and handing it work allocates nothing. More than maxIdle do not wait. Close
// waits for all of them.
type crew struct {
	mu sync.Mutex
	// Guarded by mu.
	idle []chan Worker
	n    int           // goroutines
	over bool          // no more of them wait
	rest chan struct{} // closed when there are none; nil while nobody waits for that
}

// Go has w.Work run on a goroutine, which the group waits for when it is
// closed. On the loop only, or by whoever takes the place of one that has ended; then nobody may wait.
func (l *Loop) Go(w Worker) {
	l.started = true
	c := &l.group.crew
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		next := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		next <- w
		return
	}
	c.n++
	c.mu.Unlock()
	go c.work(w)
}

func (c *crew) work(w Worker) {
	next := make(chan Worker, 1)
	for w != nil {
		w.Work()
		c.mu.Lock()
		if c.over || len(c.idle) == maxIdle {
			c.mu.Unlock()
			break
		}
		c.idle = append(c.idle, next)
		c.mu.Unlock()
		w = <-next
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.rest != nil {
		close(c.rest)
		c.rest = nil
	}
}

// wait waits until all have gone home.
func (c *crew) wait() {
	c.mu.Lock()
	rest := c.rest
	if c.n > 0 && rest == nil {
		rest = make(chan struct{})
		c.rest = rest
	}
	c.mu.Unlock()
	if rest != nil {
		<-rest
	}
}

// end sends those home that wait, and the others when they have done.
func (c *crew) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for _, next := range c.idle {
		close(next)
	}
	c.idle = nil
}
