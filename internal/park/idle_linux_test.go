package park

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longwire/longwire/internal/loop"
)

// What idle connections cost the server, as growth of its resident set. The
// clients are another process: this test binary again.
//
//	go test -run '^$' -bench Idle -benchtime 1x ./internal/park

const (
	idleConns  = 4000
	idleEnv    = "PARK_TEST_IDLE" // "ADDRESS TLS SIZE HTTP"
	idleRounds = 3
)

// TestIdleClients is the clients' process.
func TestIdleClients(t *testing.T) {
	f := strings.Fields(os.Getenv(idleEnv))
	if len(f) != 4 {
		t.Skip("run by BenchmarkIdle")
	}
	size, _ := strconv.Atoi(f[2])
	var conns []net.Conn
	for range idleConns {
		c, err := net.Dial("tcp", f[0])
		if err != nil {
			t.Fatal(err)
		}
		if f[1] != "0" {
			version, _ := strconv.Atoi(f[1])
			c = tls.Client(c, clientTLS(uint16(version)))
		}
		conns = append(conns, c)
		br := bufio.NewReaderSize(c, 16)
		if f[3] == "true" {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			readHead(t, br)
		}
		for range idleRounds {
			c.Write(make([]byte, size))
			if _, err := io.ReadFull(br, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	fmt.Println("idle")
	io.Copy(io.Discard, os.Stdin)
	for _, c := range conns {
		c.Close()
	}
}

func BenchmarkIdle(b *testing.B) {
	for _, bm := range []struct {
		name    string
		version uint16
		http    bool
		size    int
	}{
		{"TCP", 0, false, 100},
		{"HTTP", 0, true, 100},
		{"TLS1.3", tls.VersionTLS13, false, 100},
		{"TLS1.2", tls.VersionTLS12, false, 100},
		{"HTTPS", tls.VersionTLS13, true, 100},
		{"HTTPS/6000B", tls.VersionTLS13, true, 6000},
	} {
		b.Run(bm.name, func(b *testing.B) {
			g := newGroup(b, nil)
			ln := WrapListener(listen(b), nil)
			d := &Door{Open: func(_ time.Time, s *loop.Sock, p Peer) loop.Handler { return &echo{s} }}
			var secure *tls.Config
			if bm.version != 0 {
				secure = serverTLS(b)
			}
			switch {
			case !bm.http:
				d.TLS = secure
				done := make(chan error, 1)
				go func() { done <- ln.Serve(g, d) }()
				b.Cleanup(func() { ln.Close(); <-done })
			case secure != nil:
				serve(b, tls.NewListener(ln, secure), parkEcho(b, g))
			default:
				serve(b, ln, parkEcho(b, g))
			}
			for range b.N {
				before := resident(b, true)
				in, wait := idleClients(b, fmt.Sprintln(ln.Addr(), bm.version, bm.size, bm.http))
				b.ReportMetric(float64(resident(b, false)-before)/idleConns, "B/conn-unforced")
				b.ReportMetric(float64(resident(b, true)-before)/idleConns, "B/conn")
				if n := g.Socks(); n != idleConns {
					b.Errorf("%d sockets", n)
				}
				in.Close()
				wait()
			}
		})
	}
}

func idleClients(b *testing.B, env string) (io.Closer, func()) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleClients$")
	cmd.Env = append(os.Environ(), idleEnv+"="+env)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for line := ""; line != "idle\n"; {
		var err error
		if line, err = lines.ReadString('\n'); err != nil {
			b.Fatal(err)
		}
	}
	return in, func() {
		io.Copy(io.Discard, lines)
		cmd.Wait()
	}
}

// resident returns the resident set. The 2 s let the runtime give memory back.
func resident(b *testing.B, force bool) int {
	if force {
		debug.FreeOSMemory()
	}
	time.Sleep(2 * time.Second)
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, pages int
	fmt.Sscan(string(text), &size, &pages)
	return pages * os.Getpagesize()
}
