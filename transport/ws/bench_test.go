package ws

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/frame"
)

// BenchmarkEcho sends windows of 16 messages over one connection and reads the answers.
func BenchmarkEcho(b *testing.B) {
	for _, onLoop := range []bool{true, false} {
		for _, size := range []int{64, 1024} {
			b.Run(fmt.Sprintf("onLoop=%t/%d", onLoop, size), func(b *testing.B) {
				c := dial(b, serve(b, &Handler{Acceptor: echo(onLoop)}, false), nil)
				c.conn.SetDeadline(time.Time{})
				const window = 16
				one := masked(frame.Binary, strings.Repeat("x", size))
				all := []byte(strings.Repeat(string(one), window))
				answer := make([]byte, window*(len(one)-4))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.conn.Write(all); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(c.br, answer); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/window, "ns/message")
			})
		}
	}
}

// BenchmarkIdle tells what an idle connection costs: its share of the heap, and
// of the resident set, in which the client's side, a bare descriptor, has a small part.
func BenchmarkIdle(b *testing.B) {
	const links = 2000
	for _, onLoop := range []bool{true, false} {
		b.Run(fmt.Sprintf("onLoop=%t", onLoop), func(b *testing.B) {
			s := serve(b, &Handler{Acceptor: echo(onLoop)}, false)
			addr := s.Listener.Addr().String()
			for b.Loop() {
				for range 200 { // what the first connections cost for all is not counted
					bareDial(b, addr).Close()
				}
				time.Sleep(100 * time.Millisecond)
				heap, rss := memory()
				conns := make([]net.Conn, links)
				for i := range conns {
					conns[i] = bareDial(b, addr)
				}
				heap2, rss2 := memory()
				b.ReportMetric(float64(heap2-heap)/links, "B-heap/link")
				b.ReportMetric(float64(rss2-rss)/links, "B-rss/link")
				for _, c := range conns {
					c.Close()
				}
			}
		})
	}
}

func memory() (heap, rss int) {
	runtime.GC()
	debug.FreeOSMemory()
	time.Sleep(time.Second)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, _ := os.ReadFile("/proc/self/statm")
	var size, resident int
	fmt.Sscan(string(status), &size, &resident)
	return int(m.HeapAlloc), resident * os.Getpagesize()
}

func bareDial(b *testing.B, addr string) net.Conn {
	b.Helper()
	var d net.Dialer
	c, err := d.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.WriteString(c, request()); err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 512)
	if n, err := c.Read(p); err != nil || !strings.HasPrefix(string(p[:n]), "HTTP/1.1 101 ") {
		b.Fatalf("answer %q, %v", p[:n], err)
	}
	return c
}

// BenchmarkAccept opens and closes connections.
func BenchmarkAccept(b *testing.B) {
	s := serve(b, &Handler{Acceptor: echo(true)}, false)
	addr := s.Listener.Addr().String()
	b.ReportAllocs()
	for b.Loop() {
		c := bareDial(b, addr)
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}
