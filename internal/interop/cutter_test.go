package interop

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A cutter passes connections on to a server until it cuts them.
type cutter struct {
	url string // http://127.0.0.1:…
	ln  net.Listener
	to  string // the server's address
	wg  sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	pairs map[[2]*net.TCPConn]struct{}
}

func openCutter(t testing.TB, to string) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{url: "http://" + ln.Addr().String(), ln: ln, to: to, pairs: map[[2]*net.TCPConn]struct{}{}}
	c.wg.Go(c.accept) // the cleanup waits for it
	t.Cleanup(func() {
		ln.Close()
		c.cut()
		c.wg.Wait()
	})
	return c
}

func (c *cutter) accept() {
	for {
		from, err := c.ln.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", c.to)
		if err != nil {
			from.Close()
			continue
		}
		pair := [2]*net.TCPConn{from.(*net.TCPConn), to.(*net.TCPConn)}
		c.mu.Lock()
		c.pairs[pair] = struct{}{}
		c.mu.Unlock()
		c.wg.Go(func() { c.pass(pair, 0) })
		c.wg.Go(func() { c.pass(pair, 1) })
	}
}

// pass passes on what comes from one end of a pair. When that ends so does the pair.
func (c *cutter) pass(pair [2]*net.TCPConn, from int) {
	io.Copy(struct{ io.Writer }{pair[1-from]}, struct{ io.Reader }{pair[from]}) // splice would keep its pipes
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(pair)
}

// end closes a pair. With mu held.
func (c *cutter) end(pair [2]*net.TCPConn) {
	pair[0].Close()
	pair[1].Close()
	delete(c.pairs, pair)
}

// cut cuts all connections, without a goodbye to either side: what was not
// yet read is lost.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for pair := range c.pairs {
		pair[0].SetLinger(0)
		pair[1].SetLinger(0)
		c.end(pair)
	}
}
