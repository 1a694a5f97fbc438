package park

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longwire/longwire/internal/loop"
)

// No descriptors left, in a child process that may have few of them.

const (
	childLimit = 48
	childEnv   = "PARK_TEST_CHILD"
	childFull  = "full, sorry\n"
)

// TestFullChild is the child: an echo over the ways in that it prints, until
// its input ends.
func TestFullChild(t *testing.T) {
	if os.Getenv(childEnv) == "" {
		t.Skip("run by TestFull")
	}
	g := newGroup(t, &loop.Options{Loops: 1})
	web, err := Listen(t.Context(), "tcp", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, web, parkEcho(t, g))
	d := &Door{Full: []byte(childFull), Open: func(_ time.Time, s *loop.Sock, p Peer) loop.Handler { return echoes(s, p) }}
	tcp, err := Listen(t.Context(), "tcp", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	go tcp.Serve(g, d)
	defer tcp.Close()
	secure, err := Listen(t.Context(), "tcp", "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	go secure.Serve(g, &Door{TLS: serverTLS(t), Open: d.Open})
	defer secure.Close()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: childLimit, Max: childLimit}); err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready", web.Addr(), tcp.Addr(), secure.Addr())
	io.Copy(io.Discard, os.Stdin)
}

func TestFull(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullChild$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var web, tcp, secure string
	lines := bufio.NewReader(out)
	for web == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if f := strings.Fields(line); len(f) == 4 && f[0] == "ready" {
			web, tcp, secure = f[1], f[2], f[3]
		}
	}
	go io.Copy(io.Discard, lines)

	open := func(addr string) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(10 * time.Second))
		return c
	}
	echoed := func(c net.Conn) error {
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, "hello")
		b := make([]byte, 5)
		n, err := io.ReadFull(c, b)
		if err == nil && string(b) != "hello" {
			err = fmt.Errorf("%q", b[:n])
		}
		return err
	}
	// Take all there is. Opening ends when one is refused.
	var live []net.Conn
	for {
		c := open(tcp)
		io.WriteString(c, "hello")
		b, err := bufio.NewReader(io.LimitReader(c, 5)).ReadString('o')
		if err != nil || b != "hello" {
			rest, err := io.ReadAll(c)
			if got := b + string(rest); err != nil || got != childFull {
				t.Errorf("refused with %q, %v", got, err)
			}
			c.Close()
			break
		}
		if live = append(live, c); len(live) > childLimit {
			t.Fatal("the limit does not hold")
		}
	}
	if len(live) < 10 {
		t.Errorf("only %d connections", len(live))
	}
	// Others are refused, politely, and nobody is harmed by it.
	for range 3 {
		c := open(tcp)
		if b, err := io.ReadAll(c); err != nil || string(b) != childFull {
			t.Errorf("TCP: %q, %v", b, err)
		}
		c.Close()
		c = open(web)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("HTTP: %v", err)
		} else if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 503 || !resp.Close || resp.Header.Get("Retry-After") == "" {
			t.Errorf("HTTP: %s %q, %v", resp.Status, b, err)
		}
		c.Close()
		c = open(secure)
		if b, err := io.ReadAll(c); err != nil || !bytes.Equal(b, fullTLS) {
			t.Errorf("TLS: %q, %v", b, err)
		}
		c.Close()
		for _, c := range live {
			if err := echoed(c); err != nil {
				t.Fatalf("one that was there before: %v", err)
			}
		}
	}
	// Some leave, and accepting goes on.
	for _, c := range live[:8] {
		c.Close()
	}
	live = live[8:]
	for _, addr := range []string{tcp, web} {
		deadline := time.Now().Add(5 * time.Second)
		for {
			c := open(addr)
			if addr == web {
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err == nil && resp.StatusCode == 200 {
					c.Close()
					break
				}
			} else if echoed(c) == nil {
				c.Close()
				break
			}
			c.Close() // the server has not yet noticed that others left
			if time.Now().After(deadline) {
				t.Fatalf("%s does not accept again", addr)
			}
		}
	}
	for _, c := range live {
		if err := echoed(c); err != nil {
			t.Errorf("in the end: %v", err)
		}
		c.Close()
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("child: %v\n%s", err, log.String())
	}
	if n := strings.Count(log.String(), "no descriptors left"); n < 1 || n > 3 {
		t.Errorf("%d warnings of three listeners:\n%s", n, log.String())
	}
	if d := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); d > 5*time.Second {
		t.Errorf("the child used %v of CPU", d)
	}
}

// What is set on the listening socket holds on those that it accepts.
func TestInherited(t *testing.T) {
	ln, err := Listen(t.Context(), "tcp", "127.0.0.1:0", &Options{KeepAlive: 42 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	want := map[string][3]int{
		"TCP_NODELAY":       {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		"TCP_NOTSENT_LOWAT": {unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 16 << 10},
		"TCP_USER_TIMEOUT":  {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 30_000},
		"SO_KEEPALIVE":      {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		"TCP_KEEPIDLE":      {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 42},
		"TCP_KEEPINTVL":     {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 10},
		"TCP_KEEPCNT":       {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
	}
	check := func(how string, fd int) {
		for name, o := range want {
			if got, err := unix.GetsockoptInt(fd, o[0], o[1]); err != nil || got != o[2] {
				t.Errorf("%s: %s is %d, %v; want %d", how, name, got, err, o[2])
			}
		}
	}
	foreign, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	wrapped := WrapListener(foreign, &Options{KeepAlive: 42 * time.Second})
	defer wrapped.Close()
	dial(t, wrapped.Addr(), nil)
	c, err := wrapped.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, _ := c.(*Conn).NetConn().(syscall.Conn).SyscallConn()
	raw.Control(func(fd uintptr) { check("Accept, wrapped", int(fd)) })

	dial(t, ln.Addr(), nil)
	c, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, _ = c.(*Conn).NetConn().(syscall.Conn).SyscallConn()
	raw.Control(func(fd uintptr) { check("Accept", int(fd)) })

	dial(t, ln.Addr(), nil)
	fc, err := ln.openFDs().accept()
	if err != nil {
		t.Fatal(err)
	}
	defer fc.Close()
	check("accept4", fc.fd)
}
